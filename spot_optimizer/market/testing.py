"""Builders of market data for tests."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.aws.products import LINUX
from spot_optimizer.aws.spot_advisor import AdvisorRow
from spot_optimizer.aws.spot_prices import SpotPriceRow
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands
from spot_optimizer.market.ingest.instance_types import store_instance_types
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices
from spot_optimizer.market.ingest.spot_prices import store_spot_prices
from spot_optimizer.testing import NOON

REGION = "us-east-1"


def a_type(name: str = "m5.large", **facts: Any) -> TypeFacts:
    defaults: dict[str, Any] = {
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
    return TypeFacts(**defaults | facts)


def a_price(
    price: str,
    *,
    hours: float,
    instance_type: str = "m5.large",
    zone_id: str = "use1-az1",
    product: str = LINUX.description,
) -> SpotPriceRow:
    """Return a spot price in force from ``hours`` after noon on (negative: before noon)."""
    at = NOON + timedelta(hours=hours)
    return SpotPriceRow(zone_id, instance_type, product, Decimal(price), at)


def a_market(
    *prices: SpotPriceRow,
    types: tuple[TypeFacts, ...] = (),
    on_demand: Mapping[str, str] | None = None,
    bands: Mapping[str, int] | None = None,
    since: datetime = NOON - timedelta(days=8),
    until: datetime = NOON,
) -> None:
    """Store market data that is complete from ``since`` to ``until``."""
    learned_at = since
    store_instance_types(types or (a_type(),), now=learned_at)
    store_spot_prices(region=REGION, prices=prices, since=since, until=until)
    store_on_demand_prices(
        region=REGION,
        prices=[
            OnDemandPriceRow(name, "Linux", Decimal(price), learned_at)
            for name, price in (on_demand or {"m5.large": "0.096"}).items()
        ],
        learned_at=learned_at,
    )
    store_advisor_bands(
        region=REGION,
        rows=[
            AdvisorRow(REGION, "Linux", name, band, 70)
            for name, band in (bands or {"m5.large": 1}).items()
        ],
        learned_at=learned_at,
    )
