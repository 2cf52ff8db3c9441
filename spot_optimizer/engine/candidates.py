"""The candidates of a decision: every spot pool, then the on-demand offers in the same zone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.market import InstanceType, Machine, Market

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """``c`` candidates in columns: the first ``spot_count`` are spot pools, the rest on demand."""

    types: tuple[InstanceType, ...]
    zones: tuple[str, ...]
    spot_count: int
    type_index: Indices  # (c,) into types
    zone_index: Indices  # (c,) into zones
    price: Floats  # (c,) [USD/h] of the candidate's own purchase option, nan: unknown
    on_demand_price: Floats  # (c,) [USD/h] of the candidate's type, nan: unknown
    band: NDArray[np.int8]  # (c,) Spot Advisor's band of the candidate's type, -1: not listed
    vcpu: Floats  # (c,)
    memory_gib: Floats  # (c,)
    low_7d: Floats  # (spot_count,) [USD/h]
    high_7d: Floats  # (spot_count,) [USD/h]
    current: int  # index of the candidate that the machine runs in
    own_on_demand: int  # index of the machine's own type on demand, in its own zone

    def __len__(self) -> int:
        return len(self.type_index)

    @property
    def is_spot(self) -> NDArray[np.bool_]:
        """Whether each candidate is a spot pool. Shape (c,)."""
        return np.arange(len(self)) < self.spot_count

    @property
    def own_type(self) -> InstanceType:
        """The machine's own instance type."""
        return self.type_of(self.current)

    def type_of(self, index: int) -> InstanceType:
        """Return the instance type of a candidate."""
        return self.types[int(self.type_index[index])]

    def zone_of(self, index: int) -> str:
        """Return the zone id of a candidate."""
        return self.zones[int(self.zone_index[index])]

    def purchase_of(self, index: int) -> str:
        """Return the purchase option of a candidate: ``"spot"`` or ``"on_demand"``."""
        return "spot" if index < self.spot_count else "on_demand"

    def label(self, index: int) -> str:
        """Return a candidate's name for people, such as ``"m5.large in use1-az1 (spot)"``."""
        purchase = self.purchase_of(index).replace("_", " ")
        return f"{self.type_of(index).name} in {self.zone_of(index)} ({purchase})"


def candidates_of(market: Market, machine: Machine) -> Candidates:
    """
    Return the candidates of a decision.

    Parameters
    ----------
    market : Market
        Validated and in canonical order; the machine's zone is among its zones.
    machine : Machine
        Its type is among the market's types.

    Returns
    -------
    Candidates
        The market's spot pools in their order, then the on-demand offers by type.

    Raises
    ------
    StopIteration, ValueError
        If the machine's type or zone is not in the market: validate the inputs first.

    Notes
    -----
    On-demand offers are in the machine's own zone: each type with a known on-demand price and a
    spot pool in that zone, and always the machine's own type. A machine that runs in a spot pool
    unknown to the market gets a candidate with an unknown price.
    """
    own_type = next(i for i, each in enumerate(market.types) if each.name == machine.instance_type)
    own_zone = market.zones.index(machine.zone)
    own_pool = (market.type_index == own_type) & (market.zone_index == own_zone)
    missing = int(machine.purchase == "spot" and not own_pool.any())
    spot_count = len(own_pool) + missing
    on_demand = _on_demand_types(market, own_type, own_zone)
    own_on_demand = spot_count + int(np.searchsorted(on_demand, own_type))
    type_index = np.concatenate([market.type_index, [own_type] * missing, on_demand])
    type_index = type_index.astype(np.intp)
    added_zones = [own_zone] * (missing + len(on_demand))
    unknown = [np.nan] * missing
    return Candidates(
        types=market.types,
        zones=market.zones,
        spot_count=spot_count,
        type_index=type_index,
        zone_index=np.append(market.zone_index, added_zones).astype(np.intp),
        price=np.concatenate([market.spot_price, unknown, market.on_demand_price[on_demand]]),
        on_demand_price=market.on_demand_price[type_index],
        band=market.band[type_index],
        vcpu=np.array([each.vcpu for each in market.types], dtype=np.float64)[type_index],
        memory_gib=np.array([each.memory_gib for each in market.types])[type_index],
        low_7d=np.append(market.low_7d, unknown),
        high_7d=np.append(market.high_7d, unknown),
        current=_current(machine, own_pool, own_on_demand),
        own_on_demand=own_on_demand,
    )


def _on_demand_types(market: Market, own_type: int, own_zone: int) -> Indices:
    offered = np.zeros(len(market.types), dtype=bool)
    offered[market.type_index[market.zone_index == own_zone]] = True
    offered &= ~np.isnan(market.on_demand_price)
    offered[own_type] = True
    return np.flatnonzero(offered)


def _current(machine: Machine, own_pool: NDArray[np.bool_], own_on_demand: int) -> int:
    if machine.purchase == "on_demand":
        return own_on_demand
    return int(own_pool.argmax()) if own_pool.any() else len(own_pool)
