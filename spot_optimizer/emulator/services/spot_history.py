"""DescribeSpotPriceHistory, as EC2 answers it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from spot_optimizer.emulator.market.catalog import Offer, Zone, offers, pool, products, zones
from spot_optimizer.emulator.market.prices_model import DAY, Market, Pool, Rows
from spot_optimizer.emulator.services.pagination import (
    Values,
    matching,
    page_size,
    read_token,
    write_token,
)
from spot_optimizer.emulator.services.wire import Call, parameters
from spot_optimizer.emulator.world import World

ROWS_ON_A_PAGE = 1_000
KEPT = 90 * DAY
VPC = " (Amazon VPC)"


class Place(NamedTuple):
    """A pool with the name its zone has in this account."""

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


def describe_spot_price_history(world: World, call: Call) -> dict[str, Any]:
    """
    Return a page of prices, newest first: those of the period, and the last before it.

    A page ends at ``MaxResults`` or 1,000 rows. The token keeps the period, so that prices
    published while a client turns pages move nothing.
    """
    asked = parameters(call)
    state = read_token(asked.get("NextToken"))
    start, end = _period(asked, state, datetime.now(UTC).timestamp())
    places = _places(call.region, asked)
    rows = _newest_first(world.market, tuple(place.pool for place in places), start, end)
    found, offset = _page(places, rows, asked, int(state.get("offset", 0)))
    more = offset < len(rows.time)
    token = write_token(offset=offset, start=start, end=end) if more else ""
    return {"SpotPriceHistory": found, "NextToken": token}


def _period(
    asked: Mapping[str, Any], state: Mapping[str, float], now: float
) -> tuple[float, float]:
    """Return start and end in seconds: within the ninety days, and not in the future."""
    oldest = now // 1 - KEPT
    if "start" in state:
        # The period of the first page, which may have been some minutes ago.
        return max(state["start"], oldest - DAY), min(state.get("end", now), now)
    end = min(_seconds(asked.get("EndTime")) or now, now) // 1
    start = max(_seconds(asked.get("StartTime")) or oldest, oldest)
    return min(start, max(end, oldest)), end


def _seconds(time: datetime | None) -> float | None:
    return time.replace(tzinfo=UTC).timestamp() if time else None


def _places(region: str, asked: Mapping[str, Any]) -> list[Place]:
    offered = offers(region)
    types = asked.get("InstanceTypes") or offered
    wanted = {text.removesuffix(VPC) for text in asked.get("ProductDescriptions") or []}
    where = {asked.get("AvailabilityZone"), asked.get("AvailabilityZoneId")} - {None}
    within = [z for z in zones(region) if not where or where & {z.name, z.id}]
    known = [offered[name] for name in dict.fromkeys(types) if name in offered]
    places = [place for offer in known for place in _places_of(offer, within, wanted)]
    return matching(places, _only(asked, PLACE_FILTERS, ROW_FILTERS), PLACE_FILTERS)


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


def _only(
    asked: Mapping[str, Any], kept: Mapping[str, Any], left: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the filters of the call without those of ``left``, which are checked elsewhere."""
    filters = asked.get("Filters") or []
    return {"Filters": [f for f in filters if f.get("Name") in kept or f.get("Name") not in left]}


@lru_cache(maxsize=8)
def _newest_first(market: Market, pools: tuple[Pool, ...], start: float, end: float) -> Rows:
    if end < start:
        pools = ()  # it all ended before the ninety days
    rows = market.rows(pools, start, end)
    # By time, and within a second by pool, so that pages always cut at the same places.
    order = np.lexsort((rows.pool, -rows.time))
    return Rows(rows.pool[order], rows.time[order], rows.price[order])


def _page(
    places: list[Place], rows: Rows, asked: Mapping[str, Any], offset: int
) -> tuple[list[dict[str, Any]], int]:
    size = page_size(asked, largest=ROWS_ON_A_PAGE)
    only = _only(asked, ROW_FILTERS, PLACE_FILTERS)
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
