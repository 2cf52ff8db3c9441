"""DescribeSpotPriceHistory, as EC2 implements it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.market.catalog import Offer, Zone, offers, pool, products, zones
from spot_optimizer.emulator.market.price_model import DAY, Market, Pool, Rows
from spot_optimizer.emulator.services.pagination import (
    Values,
    matching,
    page_size,
    read_token,
    write_token,
)
from spot_optimizer.emulator.services.wire import Call, parameters

ROWS_ON_A_PAGE = 1_000
HISTORY_SPAN = 90 * DAY
VPC = " (Amazon VPC)"


class Place(NamedTuple):
    """A pool with its zone, which has the account's zone name."""

    pool: Pool
    zone: Zone


PLACE_FILTERS: dict[str, Values[Place]] = {
    "availability-zone": lambda place: place.zone.name,
    "availability-zone-id": lambda place: place.zone.id,
    "instance-type": lambda place: place.pool.instance_type,
    "product-description": lambda place: [place.pool.product, place.pool.product + VPC],
}
ROW_FILTERS: dict[str, Values[dict[str, Any]]] = {
    "spot-price": lambda row: row["SpotPrice"],
    "timestamp": lambda row: row["Timestamp"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
}


def describe_spot_price_history(context: EmulatorContext, call: Call) -> dict[str, Any]:
    """
    Return a page of prices, newest first: those of the period, and the last before it.

    A page ends at ``MaxResults`` or 1,000 rows. The token stores the period, so that prices
    published between two pages do not shift the rows.
    """
    params = parameters(call)
    state = read_token(params.get("NextToken"))
    start, end = _period(params, state, datetime.now(UTC).timestamp())
    places = _places(call.region, params)
    rows = _newest_first(context.market, tuple(place.pool for place in places), start, end)
    found, offset = _page(places, rows, params, int(state.get("offset", 0)))
    more = offset < len(rows.time)
    token = write_token(offset=offset, start=start, end=end) if more else ""
    return {"SpotPriceHistory": found, "NextToken": token}


def _period(
    params: Mapping[str, Any], state: Mapping[str, float], now: float
) -> tuple[float, float]:
    """Return start and end in seconds: within the ninety days, and not in the future."""
    oldest = now // 1 - HISTORY_SPAN
    if "start" in state:
        # The period of the first page, which may be some minutes old.
        return max(state["start"], oldest - DAY), min(state.get("end", now), now)
    end = min(_seconds(params.get("EndTime")) or now, now) // 1
    start = max(_seconds(params.get("StartTime")) or oldest, oldest)
    return min(start, max(end, oldest)), end


def _seconds(time: datetime | None) -> float | None:
    return time.replace(tzinfo=UTC).timestamp() if time else None


def _places(region: str, params: Mapping[str, Any]) -> list[Place]:
    offered = offers(region)
    types = params.get("InstanceTypes") or offered
    wanted = {text.removesuffix(VPC) for text in params.get("ProductDescriptions") or []}
    where = {params.get("AvailabilityZone"), params.get("AvailabilityZoneId")} - {None}
    within = [z for z in zones(region) if not where or where & {z.name, z.id}]
    known = [offered[name] for name in dict.fromkeys(types) if name in offered]
    places = [place for offer in known for place in _places_of(offer, within, wanted)]
    return matching(places, _filters_of(params, PLACE_FILTERS, ROW_FILTERS), PLACE_FILTERS)


def _places_of(offer: Offer, within: list[Zone], wanted: set[str]) -> list[Place]:
    if not offer.has_spot:
        return []
    return [
        Place(pool(offer, zone, product), zone)
        for zone in offer.zones
        if zone in within
        for product in products(offer)
        if not wanted or product in wanted
    ]


def _filters_of(
    params: Mapping[str, Any], included: Mapping[str, Any], excluded: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the filters of the call without those of ``excluded``, which are checked elsewhere."""
    filters = params.get("Filters") or []
    names = set(excluded) - set(included)
    return {"Filters": [f for f in filters if f.get("Name") not in names]}


@lru_cache(maxsize=8)
def _newest_first(market: Market, pools: tuple[Pool, ...], start: float, end: float) -> Rows:
    if end < start:
        pools = ()  # the period ended before the ninety days
    rows = market.rows(pools, start, end)
    # By time, then by pool: the order of rows, and so the page limits, are the same in each call.
    order = np.lexsort((rows.pool, -rows.time))
    return Rows(rows.pool[order], rows.time[order], rows.price[order])


def _page(
    places: list[Place], rows: Rows, params: Mapping[str, Any], offset: int
) -> tuple[list[dict[str, Any]], int]:
    size = page_size(params, largest=ROWS_ON_A_PAGE)
    only = _filters_of(params, ROW_FILTERS, PLACE_FILTERS)
    found: list[dict[str, Any]] = []
    while offset < len(rows.time) and len(found) < size:
        end = offset + size - len(found)
        batch = [_row(places, rows, i) for i in range(offset, min(end, len(rows.time)))]
        found += matching(batch, only, ROW_FILTERS)
        offset = end
    return found, offset


def _row(places: list[Place], rows: Rows, i: int) -> dict[str, Any]:
    place = places[rows.pool[i]]
    return {
        "AvailabilityZone": place.zone.name,
        "AvailabilityZoneId": place.zone.id,
        "InstanceType": place.pool.instance_type,
        "ProductDescription": place.pool.product,
        "SpotPrice": f"{rows.price[i]:.6f}",
        "Timestamp": datetime.fromtimestamp(int(rows.time[i]), UTC).replace(tzinfo=None),
    }
