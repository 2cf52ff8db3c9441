"""
Writing down what was learned. All of it may run twice, late, or together with itself.

Whatever is learned of a region takes the region's row first, so that two who learn the same at
once do so one after the other, and what is kept in memory of the region is known to be old.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef

from spot_optimizer.aws.advisor import AdvisorRow
from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.aws.on_demand import OnDemandPrice as PriceOnDemand
from spot_optimizer.aws.prices import SpotPrice as PriceOfPool
from spot_optimizer.market.bulk_insert import insert_prices
from spot_optimizer.market.history import (
    MICRO,
    History,
    change_points,
    history_of,
    moment,
    without_known,
)
from spot_optimizer.market.models import (
    AdvisorBand,
    Coverage,
    InstanceTypeFacts,
    OnDemandPrice,
    Pool,
    Refresh,
    Region,
    WatchedType,
    in_force,
)
from spot_optimizer.market.refresh_log import BEGINNING, first_time


class PoolKey(NamedTuple):
    product: str
    instance_type: str
    zone_id: str


class Span(NamedTuple):
    since: datetime
    until: datetime


def store_prices(
    *, region: str, prices: Collection[PriceOfPool], since: datetime, until: datetime
) -> int:
    """
    Store all the prices there were from ``since`` to ``until``, and return how many were new.

    For each pool the price in force at ``since`` is among them; what only repeats the price before
    is not stored. A pool without a price has ended: nothing is known of it after ``since``.
    """
    pools = [PoolKey(price.product, price.instance_type, price.zone_id) for price in prices]
    with transaction.atomic():
        take(region)
        ids = pool_ids(region, set(pools))
        changes = change_points(
            history_of(
                [ids[pool] for pool in pools],
                [price.at for price in prices],
                [price.price for price in prices],
            )
        )
        stored = insert_prices(without_known(changes, _in_force(ids.values(), since)))
        cover(_spans(changes, since, until))
    return stored


def _spans(changes: History, since: datetime, until: datetime) -> dict[int, Span]:
    """Return from when to when each pool's price is known: from its first one, if that is later."""
    begun: dict[int, datetime] = {}
    for pool, at in zip(changes.pool, changes.at, strict=True):
        begun.setdefault(int(pool), max(since, moment(at)))
    return {pool: Span(first, max(first, until)) for pool, first in begun.items()}


def take(region: str) -> None:
    """Hold the region's row until the end of the transaction, and tell that all copies are old."""
    Region.objects.bulk_create([Region(name=region)], ignore_conflicts=True)
    Region.objects.filter(pk=region).update(version=uuid4())


def pool_ids(region: str, keys: Collection[PoolKey]) -> dict[PoolKey, int]:
    """Return the id of each pool; new ones are added."""
    known = _pools(region, keys)
    Pool.objects.bulk_create(
        [Pool(region_id=region, **key._asdict()) for key in sorted(keys) if key not in known],
        ignore_conflicts=True,
        batch_size=500,
    )
    return known if len(known) == len(keys) else _pools(region, keys)


def _pools(region: str, keys: Collection[PoolKey]) -> dict[PoolKey, int]:
    rows = Pool.objects.filter(
        region=region, product__in={key.product for key in keys}
    ).values_list("product", "instance_type", "zone_id", "pk")
    return {PoolKey(*row[:3]): row[3] for row in rows if PoolKey(*row[:3]) in keys}


def _in_force(ids: Collection[int], at: datetime) -> dict[int, int]:
    """Return the price in force of those of the pools whose history reaches ``at``."""
    reaching = Coverage.objects.filter(pool=OuterRef("pk"), since__lte=at, until__gte=at)
    pools = Pool.objects.filter(Exists(reaching), pk__in=ids)
    known = pools.annotate(price=in_force("price", at=at)).values_list("pk", "price")
    return {pool: int(price * MICRO) for pool, price in known if price is not None}


def cover(spans: Mapping[int, Span]) -> None:
    """Note from when to when the prices of these pools are known; what adjoins is one."""
    known: dict[int, list[Coverage]] = defaultdict(list)
    for coverage in Coverage.objects.filter(pool__in=spans):
        known[coverage.pool_id].append(coverage)
    longer: dict[datetime, list[int]] = defaultdict(list)
    new = []
    for pool, span in spans.items():
        adjoining = [c for c in known[pool] if c.since <= span.since <= c.until]
        for coverage in adjoining:
            if coverage.until < span.until:
                longer[span.until].append(coverage.pk)
        if not adjoining:
            new.append(Coverage(pool_id=pool, since=span.since, until=span.until))
    for until, ids in longer.items():
        Coverage.objects.filter(pk__in=ids).update(until=until)
    Coverage.objects.bulk_create(new, batch_size=500)


def watch(*, region: str, product: str, instance_types: Iterable[str]) -> None:
    """Note that the spot prices of these types are asked for from now on."""
    with transaction.atomic():
        take(region)
        WatchedType.objects.bulk_create(
            [
                WatchedType(region_id=region, product=product, instance_type=name)
                for name in sorted(instance_types)
            ],
            ignore_conflicts=True,
        )


def reach(*, region: str, product: str, instance_types: Collection[str], until: datetime) -> None:
    """Note that the prices of these types are complete up to ``until``, or even further."""
    with transaction.atomic():
        take(region)
        watched = WatchedType.objects.filter(
            region=region, product=product, instance_type__in=instance_types
        )
        watched.filter(until=None).update(until=until)
        watched.filter(until__lt=until).update(until=until)


def note_refresh(*, region: str, what: str, now: datetime) -> None:
    with transaction.atomic():
        take(region)
        Refresh.objects.update_or_create(
            region_id=region, what=what, defaults={"refreshed_at": now}
        )


def note_all_told(*, region: str, what: str, now: datetime) -> None:
    """Note a refresh, and the first one for ever: from then on only what AWS told itself counts."""
    with transaction.atomic():
        note_refresh(region=region, what=what, now=now)
        Refresh.objects.get_or_create(
            region_id=region, what=first_time(what), defaults={"refreshed_at": now}
        )


def store_types(facts: Collection[TypeFacts], *, now: datetime) -> None:
    """Store what instance types are as of ``now``; a newer description replaces an older one."""
    rows = [
        InstanceTypeFacts(refreshed_at=now, **_columns(this))
        for this in sorted(facts, key=lambda this: this.name)
    ]
    with transaction.atomic():
        InstanceTypeFacts.objects.bulk_create(rows, ignore_conflicts=True)
        # Locked: whoever describes these types meanwhile goes before or after, not between.
        older = InstanceTypeFacts.objects.filter(
            pk__in=[row.name for row in rows], refreshed_at__lt=now
        )
        names = set(older.order_by("pk").select_for_update().values_list("pk", flat=True))
        InstanceTypeFacts.objects.bulk_create(
            [row for row in rows if row.name in names],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=[*(f for f in TypeFacts._fields if f != "name"), "refreshed_at"],
        )


def _columns(facts: TypeFacts) -> dict[str, Any]:
    columns = facts._asdict()
    return columns | {"accelerator": facts.accelerator or ""}


def store_on_demand(
    *,
    region: str,
    prices: Iterable[PriceOnDemand],
    learned_at: datetime,
    since: datetime = BEGINNING,
) -> None:
    """Store those on-demand prices that differ from what was known ``since`` to ``learned_at``."""
    learned = {(price.operating_system, price.instance_type): price for price in prices}
    with transaction.atomic():
        take(region)
        rows = OnDemandPrice.objects.filter(
            region=region,
            at__range=(since, learned_at),
            instance_type__in=[name for _, name in learned],
        )
        known = {
            (row.operating_system, row.instance_type): row.price for row in rows.order_by("at")
        }
        OnDemandPrice.objects.bulk_create(
            [
                OnDemandPrice(
                    region_id=region,
                    operating_system=system,
                    instance_type=instance_type,
                    at=learned_at,
                    price=round(price.price, 6),
                )
                for (system, instance_type), price in sorted(learned.items())
                if known.get((system, instance_type)) != round(price.price, 6)
            ],
            ignore_conflicts=True,
            batch_size=500,
        )


def store_advisor(
    *, region: str, rows: Iterable[AdvisorRow], learned_at: datetime, since: datetime = BEGINNING
) -> None:
    """Store those of its bands that differ from what was known ``since`` to ``learned_at``."""
    learned = {
        (row.operating_system, row.instance_type): (row.band, row.savings_percent)
        for row in rows
        if row.region == region
    }
    with transaction.atomic():
        take(region)
        bands = AdvisorBand.objects.filter(region=region, at__range=(since, learned_at))
        known = {
            (row.operating_system, row.instance_type): (row.band, row.savings_percent)
            for row in bands.order_by("at")
        }
        AdvisorBand.objects.bulk_create(
            [
                AdvisorBand(
                    region_id=region,
                    operating_system=system,
                    instance_type=instance_type,
                    at=learned_at,
                    band=band,
                    savings_percent=savings_percent,
                )
                for (system, instance_type), (band, savings_percent) in sorted(learned.items())
                if known.get((system, instance_type)) != (band, savings_percent)
            ],
            ignore_conflicts=True,
            batch_size=500,
        )
