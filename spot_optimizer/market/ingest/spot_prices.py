"""Storing spot prices: their change points, and the period in which they are complete."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from spot_optimizer.aws.spot_prices import SpotPriceRow
from spot_optimizer.market.change_points import (
    MICRO,
    PriceHistory,
    change_points,
    drop_known,
    price_history,
    to_datetime,
)
from spot_optimizer.market.ingest.bulk_insert import insert_prices
from spot_optimizer.market.models import Coverage, Pool, in_force
from spot_optimizer.market.region_lock import lock_region


class PoolKey(NamedTuple):
    product: str
    instance_type: str
    zone_id: str


class Span(NamedTuple):
    since: datetime
    until: datetime


def store_spot_prices(
    *, region: str, prices: Collection[SpotPriceRow], since: datetime, until: datetime
) -> int:
    """
    Store all prices from ``since`` to ``until``; return how many changes were new.

    ``prices`` must include each pool's price in force at ``since``. A price equal to the one before
    is not stored. A pool that is missing in ``prices`` is not covered after ``since``.
    """
    keys = [PoolKey(price.product, price.instance_type, price.zone_id) for price in prices]
    with transaction.atomic():
        lock_region(region)
        ids = pool_ids(region, set(keys))
        changes = change_points(
            price_history(
                [ids[key] for key in keys],
                [price.at for price in prices],
                [price.price for price in prices],
            )
        )
        inserted = insert_prices(drop_known(changes, _in_force(ids.values(), since)))
        extend_coverage(_spans(changes, since, until))
    return inserted


def _spans(changes: PriceHistory, since: datetime, until: datetime) -> dict[int, Span]:
    """Return the period in which each pool's prices are known: not before its first price."""
    starts: dict[int, datetime] = {}
    for pool, at in zip(changes.pool, changes.at, strict=True):
        starts.setdefault(int(pool), max(since, to_datetime(at)))
    return {pool: Span(start, max(start, until)) for pool, start in starts.items()}


def pool_ids(region: str, keys: Collection[PoolKey]) -> dict[PoolKey, int]:
    """Return the id of each pool; create missing pools."""
    ids = _stored_pool_ids(region, keys)
    Pool.objects.bulk_create(
        [Pool(region_id=region, **key._asdict()) for key in sorted(keys) if key not in ids],
        ignore_conflicts=True,
        batch_size=500,
    )
    return ids if len(ids) == len(keys) else _stored_pool_ids(region, keys)


def _stored_pool_ids(region: str, keys: Collection[PoolKey]) -> dict[PoolKey, int]:
    rows = Pool.objects.filter(
        region=region, product__in={key.product for key in keys}
    ).values_list("product", "instance_type", "zone_id", "pk")
    return {PoolKey(*row[:3]): row[3] for row in rows if PoolKey(*row[:3]) in keys}


def _in_force(ids: Collection[int], at: datetime) -> dict[int, int]:
    """Return the price in force at ``at`` of those pools whose coverage includes that moment."""
    pools = Pool.objects.known(at=at).filter(pk__in=ids)
    prices = pools.annotate(price=in_force("price", at=at)).values_list("pk", "price")
    return {pool: int(price * MICRO) for pool, price in prices if price is not None}


def extend_coverage(spans: Mapping[int, Span]) -> None:
    """Record the periods in which these pools' prices are known; merge adjoining periods."""
    stored: dict[int, list[Coverage]] = defaultdict(list)
    for coverage in Coverage.objects.filter(pool__in=spans):
        stored[coverage.pool_id].append(coverage)
    extended: dict[datetime, list[int]] = defaultdict(list)
    new = []
    for pool, span in spans.items():
        adjoining = [c for c in stored[pool] if c.since <= span.since <= c.until]
        for coverage in adjoining:
            if coverage.until < span.until:
                extended[span.until].append(coverage.pk)
        if not adjoining:
            new.append(Coverage(pool_id=pool, since=span.since, until=span.until))
    for until, ids in extended.items():
        Coverage.objects.filter(pk__in=ids).update(until=until)
    Coverage.objects.bulk_create(new, batch_size=500)
