"""Market data for the API: enough to recompute a decision by hand."""

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
from spot_optimizer.market.refresh_log import ADVISOR, BEGINNING, first_full_refresh, on_demand

# Pools whose data ends at most this long before the newest belong to the same refresh.
SAME_REFRESH = timedelta(minutes=10)
END = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def newest_moment(*, region: str, product: Product) -> datetime:
    """
    Return the newest moment up to which the prices of the region's last refresh are complete.

    Pools that the last refresh did not include are ignored.

    :raises Invalid: no prices of the region are stored
    """
    known = Coverage.objects.filter(pool__region=region, pool__product=product.description)
    newest = known.aggregate(newest=Max("until"))["newest"]
    if newest is None:
        raise Invalid(
            "region is not valid.",
            errors={
                "region": [
                    f"No prices of {product.description} in {region} are stored. Check the name, "
                    "or evaluate an instance there first."
                ]
            },
        )
    refreshed = known.filter(until__gte=newest - SAME_REFRESH)
    moment: datetime = refreshed.aggregate(oldest=Min("until"))["oldest"]
    return moment


def get_region(name: str) -> Region:
    """:raises Invalid: no data of the region is stored"""
    region = Region.objects.filter(pk=name).first()
    if region is None:
        message = f"No data of {name} is stored. Check the name, or evaluate an instance there."
        raise Invalid("region is not valid.", errors={"region": [message]})
    return region


def pools_in_force(
    *, region: str, product: Product, as_of: datetime, instance_type: str | None = None
) -> QuerySet[Pool]:
    """
    Return the pools whose price at ``as_of`` is known, with the values that an evaluation uses.

    Each has ``price``, ``since`` when it is in force, ``on_demand_price``, ``band`` and
    ``savings_percent`` (None if unknown), and ``place``: type and zone in one text, to sort by.
    """
    pools = Pool.objects.filter(region=region, product=product.description).known(at=as_of)
    if instance_type is not None:
        pools = pools.filter(instance_type=instance_type)
    system = product.operating_system
    listed_since = first_full_refresh(region=region, what=on_demand(system), at=as_of)
    rated_since = first_full_refresh(region=region, what=ADVISOR, at=as_of)
    listed = _newest_of_type(OnDemandPrice.objects.filter(at__range=(listed_since, as_of)), system)
    bands = _newest_of_type(
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


def _newest_of_type(known: QuerySet, operating_system: str) -> QuerySet:
    """Return the rows of the outer pool's instance type, the newest first."""
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
    Return the price changes of a type's pools that were in force between ``since`` and ``until``,
    both included, at a moment at which the pool's price is known.

    This includes the change before ``since`` whose price was still in force then, if the pool's
    prices are known at that moment.

    :raises Invalid: no pool of the type is in that zone
    """
    pools = Pool.objects.filter(
        region=region, product=product.description, instance_type=instance_type
    )
    if zone_id is not None:
        pools = _in_zone(pools, zone_id)
    begin, end = since or BEGINNING, until or END
    later = SpotPrice.objects.filter(pool=OuterRef("pool"), at__gt=OuterRef("at")).order_by("at")
    covering = Coverage.objects.filter(
        Q(since__lte=end, until__gte=begin),
        Q(since__lt=OuterRef("next_at"), until__gte=OuterRef("at")),
        pool=OuterRef("pool"),
    )
    changes = SpotPrice.objects.filter(pool__in=pools, at__lte=end).annotate(
        next_at=Coalesce(Subquery(later.values("at")[:1]), Value(END))
    )
    return changes.filter(Exists(covering), next_at__gt=begin).select_related("pool")


def _in_zone(pools: PoolQuerySet, zone_id: str) -> PoolQuerySet:
    """:raises Invalid: none of the pools is in the zone"""
    known = sorted(set(pools.values_list("zone_id", flat=True)))
    if zone_id in known:
        return pools.filter(zone_id=zone_id)
    message = "Use the ID of a zone, not its name, which differs between accounts. "
    message += (
        f"Known zones: {', '.join(known)}." if known else "No prices of this type are stored."
    )
    raise Invalid("availability_zone is not valid.", errors={"availability_zone": [message]})
