"""The table a decision is made on: every spot pool, then the on-demand offers in reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.market import InstanceType, Machine, Market

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """``r`` rows, of which the first ``spots`` are spot pools and the others on demand."""

    types: tuple[InstanceType, ...]
    zones: tuple[str, ...]
    spots: int
    type_index: Indices  # (r,)
    zone_index: Indices  # (r,)
    price: Floats  # (r,) [USD/h] what an hour costs in that purchase, nan: unknown
    on_demand_price: Floats  # (r,) [USD/h] of the row's type, nan: unknown
    band: NDArray[np.int8]  # (r,) Spot Advisor's band of the row's type
    vcpu: Floats  # (r,)
    memory_gib: Floats  # (r,)
    low_7d: Floats  # (spots,) [USD/h]
    high_7d: Floats  # (spots,) [USD/h]
    current: int  # the machine's own row
    own_on_demand: int  # the machine's own type on demand, in its own zone

    def __len__(self) -> int:
        return len(self.type_index)

    @property
    def is_spot(self) -> NDArray[np.bool_]:
        return np.arange(len(self)) < self.spots

    @property
    def own_type(self) -> InstanceType:
        return self.type_of(self.current)

    def type_of(self, row: int) -> InstanceType:
        """Return the facts of a row's instance type."""
        return self.types[int(self.type_index[row])]

    def zone_of(self, row: int) -> str:
        """Return the zone id of a row."""
        return self.zones[int(self.zone_index[row])]

    def purchase_of(self, row: int) -> str:
        """Return how a row is bought: ``"spot"`` or ``"on_demand"``."""
        return "spot" if row < self.spots else "on_demand"

    def name(self, row: int) -> str:
        """Return what people call a row."""
        purchase = self.purchase_of(row).replace("_", " ")
        return f"{self.type_of(row).name} in {self.zone_of(row)} ({purchase})"


def lay_out(market: Market, machine: Machine) -> Rows:
    """
    Return the rows of a decision, from a market in canonical order.

    On demand is offered in the machine's own zone: each type that has a known on-demand price and
    a spot pool there, and always the machine's own type. A spot pool the market does not know, but
    the machine is in, has a row without a price.
    """
    own_type = next(i for i, each in enumerate(market.types) if each.name == machine.instance_type)
    own_zone = market.zones.index(machine.zone)
    here = (market.type_index == own_type) & (market.zone_index == own_zone)
    missing = int(machine.purchase == "spot" and not here.any())
    spots = len(here) + missing
    on_demand = _on_demand_types(market, own_type, own_zone)
    own_on_demand = spots + int(np.searchsorted(on_demand, own_type))
    type_index = np.concatenate([market.type_index, [own_type] * missing, on_demand])
    type_index = type_index.astype(np.intp)
    unknown = [np.nan] * missing
    return Rows(
        types=market.types,
        zones=market.zones,
        spots=spots,
        type_index=type_index,
        zone_index=np.append(market.zone_index, [own_zone] * (missing + len(on_demand))).astype(
            np.intp
        ),
        price=np.concatenate([market.spot_price, unknown, market.on_demand_price[on_demand]]),
        on_demand_price=market.on_demand_price[type_index],
        band=market.band[type_index],
        vcpu=np.array([each.vcpu for each in market.types], dtype=np.float64)[type_index],
        memory_gib=np.array([each.memory_gib for each in market.types])[type_index],
        low_7d=np.append(market.low_7d, unknown),
        high_7d=np.append(market.high_7d, unknown),
        current=_current(machine, here, own_on_demand),
        own_on_demand=own_on_demand,
    )


def _on_demand_types(market: Market, own_type: int, own_zone: int) -> Indices:
    offered = np.zeros(len(market.types), dtype=bool)
    offered[market.type_index[market.zone_index == own_zone]] = True
    offered &= ~np.isnan(market.on_demand_price)
    offered[own_type] = True
    return np.flatnonzero(offered)


def _current(machine: Machine, here: NDArray[np.bool_], own_on_demand: int) -> int:
    if machine.purchase == "on_demand":
        return own_on_demand
    return int(here.argmax()) if here.any() else len(here)
