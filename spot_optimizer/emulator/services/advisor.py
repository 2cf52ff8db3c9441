"""The Spot Advisor feed: a public S3 object in the format of the real one."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np

from spot_optimizer.emulator.market.catalog import (
    LINUX,
    REGIONS,
    WINDOWS,
    Offer,
    offers,
    pool,
    products,
)
from spot_optimizer.emulator.market.price_model import HOUR, Market
from spot_optimizer.emulator.market.prices import vcpus

BUCKET, KEY = "spot-bid-advisor", "spot-advisor-data.json"
PATH = f"/{BUCKET}/{KEY}"

LABELS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")
LARGEST = (5, 11, 16, 22, 100)  # of each band, as the real feed has them
BAND_STARTS = (0.05, 0.10, 0.15, 0.20)
SYSTEMS = {"Linux": LINUX, "Windows": WINDOWS}


@lru_cache(maxsize=1)
def feed(market: Market, hour: int) -> bytes:
    """Return the feed of an hour (hours since 1970): its bands describe the 30 days before."""
    everywhere = {name: offer for region in REGIONS for name, offer in offers(region).items()}
    document = {
        "instance_types": {name: _size(offer) for name, offer in sorted(everywhere.items())},
        "ranges": [
            {"index": i, "label": label, "dots": i, "max": largest}
            for i, (label, largest) in enumerate(zip(LABELS, LARGEST, strict=True))
        ],
        "spot_advisor": {region: _region(market, region, hour * HOUR) for region in REGIONS},
        "global_rate": "<10%",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def hour_of(now: datetime) -> int:
    return int(now.timestamp() // HOUR)


def start_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR, UTC)


def _size(offer: Offer) -> dict[str, Any]:
    ram = offer.facts["MemoryInfo"]["SizeInMiB"] / 1024
    return {"cores": vcpus(offer.facts), "ram_gb": ram, "emr": False}


def _region(market: Market, region: str, end: float) -> dict[str, dict[str, dict[str, int]]]:
    return {
        system: _advice(
            market,
            [o for o in offers(region).values() if o.has_spot and product in products(o)],
            product,
            end,
        )
        for system, product in SYSTEMS.items()
    }


def _advice(
    market: Market, offered: list[Offer], product: str, end: float
) -> dict[str, dict[str, int]]:
    firsts = [pool(offer, offer.zones[0], product) for offer in offered]
    bands = np.digitize(market.monthly_interruptions(firsts, end), BAND_STARTS)
    pools = [pool(offer, zone, product) for offer in offered for zone in offer.zones]
    ratios = market.mean_ratio(pools, end)
    splits = np.cumsum([len(offer.zones) for offer in offered])[:-1]
    savings = [round(100 * (1 - part.mean())) for part in np.split(ratios, splits)]
    return {
        offer.name: {"s": max(0, int(saving)), "r": int(band)}
        for offer, saving, band in zip(offered, savings, bands, strict=True)
    }
