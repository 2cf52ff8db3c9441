"""What the store answers to people: with what stands here a decision can be recomputed by hand."""

from datetime import UTC, datetime, timedelta

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat

from spot_optimizer.aws.products import Product
from spot_optimizer.errors import Invalid
from spot_optimizer.market.models import (
    AdvisorBand,
    Coverage,
    OnDemandPrice,
    Pool,
    PoolQuerySet,
    Region,
    SpotPrice,
    in_force,
)
from spot_optimizer.market.refresh_log import ADVISOR, BEGINNING, asked_since, on_demand

# What was refreshed within so long of the newest counts as refreshed together with it.
TOGETHER = timedelta(minutes=10)
END = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def newest_moment(*, region: str, product: Product) -> datetime:
    """
    Return the newest moment up to which the prices of the region are complete.

    What was refreshed last decides; pools that were left alone for longer are not waited for.

    :raises Invalid: nothing is known of the region
    """
    known = Coverage.objects.filter(pool__region=region, pool__product=product.description)
    newest = known.aggregate(newest=Max("until"))["newest"]
    if newest is None:
        raise Invalid(
            "region is not valid.",
            errors={
                "region": [
                    f"No prices of {product.description} in {region} are known. Check the name, or "
                    "evaluate an instance there first."
                ]
            },
        )
    together = known.filter(until__gte=newest - TOGETHER)
    moment: datetime = together.aggregate(oldest=Min("until"))["oldest"]
    return moment


def get_region(name: str) -> Region:
    """:raises Invalid: nothing is known of it"""
    region = Region.objects.filter(pk=name).first()
    if region is None:
        sentence = f"Nothing is known of {name}. Check the name, or evaluate an instance there."
        raise Invalid("region is not valid.", errors={"region": [sentence]})
    return region


def pools_in_force(
    *, region: str, product: Product, as_of: datetime, instance_type: str | None = None
) -> QuerySet[Pool]:
    """
    Return the pools whose price is certain at ``as_of``, as an evaluation at that moment sees them.

    Each has ``price`` and ``since`` when it is in force, ``on_demand_price``, ``band`` and
    ``savings_percent``, None where they are unknown; and ``place``, its type and zone in one text.
    """
    pools = Pool.objects.filter(region=region, product=product.description).known(at=as_of)
    if instance_type is not None:
        pools = pools.filter(instance_type=instance_type)
    system = product.operating_system
    listed_since = asked_since(region=region, what=on_demand(system), at=as_of)
    rated_since = asked_since(region=region, what=ADVISOR, at=as_of)
    listed = _of_type(OnDemandPrice.objects.filter(at__range=(listed_since, as_of)), system)
    bands = _of_type(
        AdvisorBand.objects.filter(at__range=(rated_since, as_of)), product.advisor_system
    )
    return pools.annotate(
        place=Concat("instance_type", Value(" "), "zone_id"),
        price=in_force("price", at=as_of),
        since=in_force("at", at=as_of),
        on_demand_price=Subquery(listed.values("price")[:1]),
        band=Subquery(bands.values("band")[:1]),
        savings_percent=Subquery(bands.values("savings_percent")[:1]),
    )


def _of_type(known: QuerySet, operating_system: str) -> QuerySet:
    """Return what is known of a pool's type, the newest first."""
    return known.filter(
        region=OuterRef("region"),
        instance_type=OuterRef("instance_type"),
        operating_system=operating_system,
    ).order_by("-at")


def price_changes(
    *,
    region: str,
    product: Product,
    instance_type: str,
    zone_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[SpotPrice]:
    """
    Return the price changes of a type's pools that were in force at some moment whose price is
    known for certain, from ``since`` to ``until``, both included.

    So the change that brought the price in force at ``since`` is among them, if it is known that
    it was in force then: a price is in force no longer than its pool's history reaches.

    :raises Invalid: none of the type's pools is in that zone
    """
    pools = Pool.objects.filter(
        region=region, product=product.description, instance_type=instance_type
    )
    if zone_id is not None:
        pools = _in_zone(pools, zone_id)
    begin, end = since or BEGINNING, until or END
    later = SpotPrice.objects.filter(pool=OuterRef("pool"), at__gt=OuterRef("at")).order_by("at")
    certain = Coverage.objects.filter(
        Q(since__lte=end, until__gte=begin),
        Q(since__lt=OuterRef("next_at"), until__gte=OuterRef("at")),
        pool=OuterRef("pool"),
    )
    changes = SpotPrice.objects.filter(pool__in=pools, at__lte=end).annotate(
        next_at=Coalesce(Subquery(later.values("at")[:1]), Value(END))
    )
    return changes.filter(Exists(certain), next_at__gt=begin).select_related("pool")


def _in_zone(pools: PoolQuerySet, zone_id: str) -> PoolQuerySet:
    """:raises Invalid: none of them is there"""
    known = sorted(set(pools.values_list("zone_id", flat=True)))
    if zone_id in known:
        return pools.filter(zone_id=zone_id)
    sentence = "Give the id of a zone, not its name, which differs from account to account. "
    sentence += f"Known are {', '.join(known)}." if known else "No prices of this type are known."
    raise Invalid("availability_zone is not valid.", errors={"availability_zone": [sentence]})
