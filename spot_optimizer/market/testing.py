"""Builders of what is known of a market."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from spot_optimizer.aws.advisor import AdvisorRow
from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.aws.on_demand import OnDemandPrice
from spot_optimizer.aws.prices import SpotPrice
from spot_optimizer.aws.products import LINUX
from spot_optimizer.market import ingest
from spot_optimizer.testing import NOON

REGION = "us-east-1"


def some_type(name: str = "m5.large", **facts: Any) -> TypeFacts:
    usual: dict[str, Any] = {
        "name": name,
        "vcpu": 2,
        "memory_mib": 8192,
        "architectures": ("x86_64",),
        "accelerator": None,
        "accelerators": 0,
        "local_storage_gb": 0.0,
        "bare_metal": False,
        "burstable": False,
        "ena": "required",
        "nvme": "required",
        "virtualization_types": ("hvm",),
        "boot_modes": ("legacy-bios", "uefi"),
        "usage_classes": ("on-demand", "spot"),
        "hypervisor": "nitro",
        "current_generation": True,
        "network_interfaces": 3,
    }
    return TypeFacts(**usual | facts)


def a_price(
    price: str,
    *,
    hours: float,
    instance_type: str = "m5.large",
    zone_id: str = "use1-az1",
    product: str = LINUX.description,
) -> SpotPrice:
    """Return a spot price that is in force from so many hours after noon on; before, if below 0."""
    at = NOON + timedelta(hours=hours)
    return SpotPrice(zone_id, instance_type, product, Decimal(price), at)


def a_market(
    *prices: SpotPrice,
    types: tuple[TypeFacts, ...] = (),
    on_demand: Mapping[str, str] | None = None,
    bands: Mapping[str, int] | None = None,
    since: datetime = NOON - timedelta(days=8),
    until: datetime = NOON,
) -> None:
    """Store a market that is known from ``since`` to ``until``."""
    learned_at = since
    ingest.store_types(types or (some_type(),), now=learned_at)
    ingest.store_prices(region=REGION, prices=prices, since=since, until=until)
    ingest.store_on_demand(
        region=REGION,
        prices=[
            OnDemandPrice(name, "Linux", Decimal(price), learned_at)
            for name, price in (on_demand or {"m5.large": "0.096"}).items()
        ],
        learned_at=learned_at,
    )
    ingest.store_advisor(
        region=REGION,
        rows=[
            AdvisorRow(REGION, "Linux", name, band, 70)
            for name, band in (bands or {"m5.large": 1}).items()
        ],
        learned_at=learned_at,
    )
