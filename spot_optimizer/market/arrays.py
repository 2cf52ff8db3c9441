"""Loads the market data of a region at one moment into the numpy arrays that the engine reads."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db.models import Count, DateTimeField, Max, Min, OuterRef, Subquery, Value
from django.db.models.functions import Greatest
from numpy.typing import NDArray

from spot_optimizer.aws.products import NoPrices, Product
from spot_optimizer.engine.market import InstanceType, Market
from spot_optimizer.market.change_points import to_microseconds
from spot_optimizer.market.models import (
    AdvisorBand,
    Comparable,
    InstanceTypeFacts,
    OnDemandPrice,
    Pool,
    Region,
    SpotPrice,
    coverage_at,
    in_force,
)
from spot_optimizer.market.refresh_log import ADVISOR, first_full_refresh, on_demand

RANGE_PERIOD = timedelta(days=7)
# With a shorter history, the lowest and the highest price are reported as unknown.
MIN_HISTORY = timedelta(days=1)
CACHE_SIZE = 16  # snapshots


class _Pools(NamedTuple):
    types: Sequence[str]
    zones: Sequence[str]
    price: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def load_snapshot(
    *, region: str, product: Product, as_of: datetime, comparable: Comparable
) -> Market:
    """
    Return the market data of a region's comparable types at ``as_of``.

    It contains the pools whose price at that moment is known. ``low_7d`` and ``high_7d`` are the
    lowest and the highest price of the seven days before, the price in force at their start
    included; nan where less than a day of history is known. Once prices are complete up to
    ``as_of``, the result for that moment does not change any more.

    :raises NoPrices: no price of a comparable pool is known at that moment
    """
    version = Region.objects.filter(pk=region).values_list("version", flat=True).first()
    facts = InstanceTypeFacts.objects.aggregate(newest=Max("refreshed_at"), types=Count("pk"))
    market = _snapshot(region, product, as_of, comparable, version, facts["newest"], facts["types"])
    if not len(market.type_index):
        raise NoPrices(
            f"No spot prices of {product.description} in {region} are known for "
            f"{as_of:%Y-%m-%d %H:%M} UTC. Evaluate another moment or region."
        )
    return market


def known_types(
    *, region: str, product: Product, as_of: datetime, comparable: Comparable
) -> list[InstanceType]:
    """Return the comparable types that the region offers at ``as_of``, by name."""
    offered = set(_on_demand(region, product, as_of)) | set(
        Pool.objects.filter(region=region, product=product.description)
        .known(at=as_of)
        .values_list("instance_type", flat=True)
    )
    types = InstanceTypeFacts.objects.comparable_to(comparable)
    return [engine_instance_type(facts) for facts in types if facts.name in offered]


def engine_instance_type(facts: InstanceTypeFacts) -> InstanceType:
    """Convert the stored facts of a type to the engine's."""
    return InstanceType(
        name=facts.name,
        vcpu=facts.vcpu,
        memory_gib=facts.memory_mib / 1024,
        architectures=tuple(facts.architectures),
        accelerator=facts.accelerator or None,
        accelerators=facts.accelerators,
        local_storage_gib=facts.local_storage_gb,
        bare_metal=facts.bare_metal,
        burstable=facts.burstable,
        ena=facts.ena,
        nvme_required=facts.nvme == "required",
        virtualization_types=tuple(facts.virtualization_types),
        boot_modes=tuple(facts.boot_modes),
        spot_supported="spot" in facts.usage_classes,
        current_generation=facts.current_generation,
    )


# The last three arguments are only part of the cache key: they change when the data does.
@lru_cache(maxsize=CACHE_SIZE)
def _snapshot(
    region: str,
    product: Product,
    as_of: datetime,
    comparable: Comparable,
    version: UUID | None,
    facts_refreshed_at: datetime | None,
    facts_count: int,
) -> Market:
    types = known_types(region=region, product=product, as_of=as_of, comparable=comparable)
    names = {row.name: index for index, row in enumerate(types)}
    pools = _pools(region, product, as_of, names)
    zones = tuple(sorted(set(pools.zones)))
    prices, bands = _on_demand(region, product, as_of), _bands(region, product, as_of)
    return Market(
        region=region,
        as_of=as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        types=tuple(types),
        on_demand_price=_read_only([prices.get(name, np.nan) for name in names], np.float64),
        band=_read_only([bands.get(name, -1) for name in names], np.int8),
        zones=zones,
        type_index=_read_only([names[name] for name in pools.types], np.intp),
        zone_index=_read_only([zones.index(zone) for zone in pools.zones], np.intp),
        spot_price=_read_only(pools.price, np.float64),
        low_7d=_read_only(pools.low, np.float64),
        high_7d=_read_only(pools.high, np.float64),
    )


def _read_only(values: Iterable[float], kind: type) -> NDArray[Any]:
    array: NDArray[Any] = np.array(values, dtype=kind)
    array.flags.writeable = False  # callers share the cached arrays
    return array


def _on_demand(region: str, product: Product, as_of: datetime) -> dict[str, float]:
    system = product.operating_system
    since = first_full_refresh(region=region, what=on_demand(system), at=as_of)
    rows = OnDemandPrice.objects.filter(
        region=region, operating_system=system, at__range=(since, as_of)
    )
    newest_last = rows.order_by("at").values_list("instance_type", "price")
    return {name: float(price) for name, price in newest_last}


def _bands(region: str, product: Product, as_of: datetime) -> dict[str, int]:
    since = first_full_refresh(region=region, what=ADVISOR, at=as_of)
    rows = AdvisorBand.objects.filter(
        region=region, operating_system=product.advisor_system, at__range=(since, as_of)
    )
    return dict(rows.order_by("at").values_list("instance_type", "band"))


def _pools(region: str, product: Product, as_of: datetime, names: Iterable[str]) -> _Pools:
    start = as_of - RANGE_PERIOD
    rows = _rows(region, product, as_of, start, names)
    ids, types, zones, price, known_since, at_start = zip(*rows, strict=True) if rows else [()] * 6
    since = np.array([to_microseconds(time) for time in known_since], dtype=np.int64)
    low, high = _price_range(ids, since, np.array(at_start, dtype=np.float64), start, as_of)
    too_short = since > to_microseconds(as_of - MIN_HISTORY)
    low[too_short] = high[too_short] = np.nan
    return _Pools(types, zones, np.array(price, dtype=np.float64), low, high)


def _rows(
    region: str, product: Product, as_of: datetime, start: datetime, names: Iterable[str]
) -> list[tuple[int, str, str, Decimal, datetime, Decimal]]:
    """
    Return the pools whose price is known: id, type, zone, price in force at ``as_of``, start of the
    known history, and the price in force at ``start`` or at that moment, if later.
    """
    earliest = coverage_at(as_of).values("pool").annotate(earliest=Min("since")).values("earliest")
    begin = Greatest(OuterRef("known_since"), Value(start, output_field=DateTimeField()))
    before = SpotPrice.objects.filter(pool=OuterRef("pk"), at__lte=begin).order_by("-at")
    return list(
        Pool.objects.filter(region=region, product=product.description, instance_type__in=names)
        .annotate(price=in_force("price", at=as_of), known_since=Subquery(earliest))
        .annotate(price_at_start=Subquery(before.values("price")[:1]))
        .exclude(known_since=None)
        .order_by("instance_type", "zone_id")
        .values_list("pk", "instance_type", "zone_id", "price", "known_since", "price_at_start")
    )


def _price_range(
    ids: Sequence[int],
    since: NDArray[np.int64],
    at_start: NDArray[np.float64],
    start: datetime,
    as_of: datetime,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest price of each pool from ``start`` to ``as_of``."""
    low, high = at_start.copy(), at_start.copy()
    index_of = {pool: index for index, pool in enumerate(ids)}
    changes = SpotPrice.objects.filter(pool__in=ids, at__gt=start, at__lte=as_of)
    rows = list(changes.order_by().values_list("pool", "at", "price"))
    if rows:
        index = np.array([index_of[row[0]] for row in rows], dtype=np.intp)
        price = np.array([row[2] for row in rows], dtype=np.float64)
        # Prices from before a gap in the history do not count.
        is_known = np.array([to_microseconds(row[1]) for row in rows]) >= since[index]
        np.fmin.at(low, index[is_known], price[is_known])
        np.fmax.at(high, index[is_known], price[is_known])
    return low, high
