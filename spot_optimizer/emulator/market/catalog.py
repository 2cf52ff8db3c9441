"""The catalog: regions, zones, real instance types, and their spot pools."""

from functools import cache
from typing import Any, NamedTuple

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import (
    INSTANCE_TYPE_OFFERINGS,
    InstanceType,
    InstanceTypeBackend,
)

from spot_optimizer.emulator.market.price_model import Pool
from spot_optimizer.emulator.market.prices import on_demand_price, windows_licence

REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "eu-west-1": "EU (Ireland)",
    "ap-south-1": "Asia Pacific (Mumbai)",
}
ZONES_OF_A_REGION = 3
LINUX, WINDOWS = "Linux/UNIX", "Windows"


class Zone(NamedTuple):
    name: str
    id: str
    region: str


class Offer(NamedTuple):
    """A type that a region offers, with its on-demand price on Linux. [USD/h]"""

    facts: InstanceType
    zones: tuple[Zone, ...]
    on_demand: float

    @property
    def name(self) -> str:
        return str(self.facts["InstanceType"])

    @property
    def has_spot(self) -> bool:
        return "spot" in self.facts["SupportedUsageClasses"]

    @property
    def runs_windows(self) -> bool:
        return "x86_64" in self.facts["ProcessorInfo"]["SupportedArchitectures"]

    @property
    def region(self) -> str:
        return self.zones[0].region


@cache
def zones(region: str) -> tuple[Zone, ...]:
    """Return the zones of a region; () if the emulator does not have the region."""
    known = RegionsAndZonesBackend.zones[region][:ZONES_OF_A_REGION] if region in REGIONS else []
    return tuple(Zone(zone.name, zone.zone_id, region) for zone in known)


@cache
def offers(region: str) -> dict[str, Offer]:
    """Return a region's offers by type: those of AWS there whose price is known."""
    facts = {kind["InstanceType"]: kind for kind in InstanceTypeBackend.instance_types}
    found: dict[str, list[Zone]] = {}
    for zone in zones(region):
        for name in _types_offered_in(zone):
            found.setdefault(name, []).append(zone)
    priced = {name: on_demand_price(facts[name], region) for name in found if name in facts}
    return {
        name: Offer(facts[name], tuple(found[name]), price)
        for name, price in sorted(priced.items())
        if price is not None
    }


def _types_offered_in(zone: Zone) -> list[str]:
    offerings: list[dict[str, Any]] = INSTANCE_TYPE_OFFERINGS["availability-zone-id"][zone.region]
    return [row["InstanceType"] for row in offerings if row["Location"] == zone.id]


def products(offer: Offer) -> tuple[str, ...]:
    return (LINUX, WINDOWS) if offer.runs_windows else (LINUX,)


def pool(offer: Offer, zone: Zone, product: str) -> Pool:
    """Return the pool of an offer in a zone."""
    licence = windows_licence(offer.facts) if product == WINDOWS else 0.0
    return Pool(zone.region, zone.id, offer.name, product, offer.on_demand, licence)


def trim_moto() -> None:
    """Remove all other regions, zones and offerings from moto."""
    for region in list(RegionsAndZonesBackend.zones):
        known = {zone.id for zone in zones(region)}
        there = RegionsAndZonesBackend.zones[region]
        RegionsAndZonesBackend.zones[region] = [zone for zone in there if zone.zone_id in known]
    for offerings in INSTANCE_TYPE_OFFERINGS.values():
        for region in set(offerings) - set(REGIONS):
            del offerings[region]
