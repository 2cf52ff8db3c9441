"""What the engine refuses to work on, and the one order it works in."""

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences
from spot_optimizer.engine.market import InstanceType, Machine, Market

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
SIGNALS = ("NONE", "REBALANCE", "TERMINATION")
PURCHASES = ("spot", "on_demand")
MODES = ("CLUSTER_FULL", "SINGLE_LINEAR")
ENA = ("required", "supported", "unsupported")


def check(inputs: Inputs) -> None:
    """
    Refuse inputs that mean nothing.

    :raises ValueError: naming the argument, if a shape, sign or word is wrong, a number is not
        finite where it must be, a pool is listed twice, or the machine's type is not listed.
    """
    _check_types(inputs.market.types)
    _check_market(inputs.market)
    _check_machine(inputs.machine, inputs.market)
    _check_preferences(inputs.preferences)
    _check_costs(inputs.costs)
    _one_of("signal", inputs.signal, SIGNALS)
    _one_of("pipeline_mode", inputs.stages.pipeline_mode, MODES)
    if not isinstance(inputs.model, RiskModel):
        raise ValueError(f"model: {type(inputs.model).__name__} is not a risk model")  # noqa: TRY004


def canonical(inputs: Inputs) -> Inputs:
    """
    Return the same inputs with types, zones and pools in the order of their names.

    The machine's zone is among the zones afterwards. Checked inputs are asked for.
    """
    return replace(
        inputs,
        market=_sorted(inputs.market, inputs.machine.zone),
        costs=Costs(*map(float, inputs.costs)),
        preferences=inputs.preferences._replace(
            downtime_usd_per_hour=float(inputs.preferences.downtime_usd_per_hour),
            safety_gate=float(inputs.preferences.safety_gate),
        ),
    )


def _sorted(market: Market, own_zone: str) -> Market:
    names = sorted(range(len(market.types)), key=lambda i: market.types[i].name)
    zones = sorted({*market.zones, own_zone})
    type_index = np.argsort(np.array(names, dtype=np.intp))[market.type_index]
    zone_index = np.array([zones.index(z) for z in market.zones], dtype=np.intp)[market.zone_index]
    pools = np.lexsort((zone_index, type_index))
    return replace(
        market,
        types=tuple(market.types[i] for i in names),
        on_demand_price=np.asarray(market.on_demand_price, dtype=np.float64)[names],
        band=np.asarray(market.band, dtype=np.int8)[names],
        zones=tuple(zones),
        type_index=type_index[pools],
        zone_index=zone_index[pools],
        spot_price=np.asarray(market.spot_price, dtype=np.float64)[pools],
        low_7d=np.asarray(market.low_7d, dtype=np.float64)[pools],
        high_7d=np.asarray(market.high_7d, dtype=np.float64)[pools],
    )


def _check_types(types: tuple[InstanceType, ...]) -> None:
    _no_twins("types", [each.name for each in types])
    for each in types:
        if not (each.vcpu > 0 and 0 < each.memory_gib < np.inf):
            raise ValueError(f"types: {each.name} needs vCPU and memory above 0")
        if each.accelerators < 0 or not 0 <= each.local_storage_gib < np.inf:
            raise ValueError(f"types: {each.name} has a negative or infinite part")
        _one_of(f"types: ena of {each.name}", each.ena, ENA)


def _check_market(market: Market) -> None:
    types, pools = (len(market.types),), np.shape(market.type_index)
    if len(pools) != 1:
        raise ValueError(f"type_index: shape {pools} is not one-dimensional")
    if not INSTANT.fullmatch(market.as_of):
        raise ValueError(f"as_of: {market.as_of!r} is not an instant in UTC (ISO 8601)")
    _no_twins("zones", market.zones)
    _prices("on_demand_price", market.on_demand_price, types)
    _whole("band", market.band, types, -1, 4)
    _whole("type_index", market.type_index, pools, 0, len(market.types) - 1)
    _whole("zone_index", market.zone_index, pools, 0, len(market.zones) - 1)
    if np.isnan(_prices("spot_price", market.spot_price, pools)).any():
        raise ValueError("spot_price: a pool without a price is not in force")
    low = _prices("low_7d", market.low_7d, pools)
    high = _prices("high_7d", market.high_7d, pools)
    if (np.isnan(low) != np.isnan(high)).any() or (low > high).any():
        raise ValueError("low_7d: above high_7d, or only one of the two is known")
    keys = np.asarray(market.type_index) * len(market.zones) + np.asarray(market.zone_index)
    if len(np.unique(keys)) != len(keys):
        raise ValueError("type_index, zone_index: a pool is listed twice")


def _check_machine(machine: Machine, market: Market) -> None:
    _one_of("purchase", machine.purchase, PURCHASES)
    if not machine.zone:
        raise ValueError("zone: the machine has none")
    if machine.instance_type not in {each.name for each in market.types}:
        raise ValueError(f"instance_type: {machine.instance_type!r} is not among the types")


def _check_preferences(preferences: Preferences) -> None:
    _amount("downtime_usd_per_hour", preferences.downtime_usd_per_hour)
    if not 0 <= preferences.safety_gate <= 1:
        raise ValueError(f"safety_gate: {preferences.safety_gate} is no probability")


def _check_costs(costs: Costs) -> None:
    for name, minutes in costs._asdict().items():
        _amount(name, minutes)


def _amount(name: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise ValueError(f"{name}: {value} is negative or not finite")


def _one_of(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(allowed)}")


def _no_twins(name: str, values: Collection[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name}: a name is listed twice")


def _prices(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return positive prices of that shape, unknown ones (nan) among them."""
    prices = np.asarray(values, dtype=np.float64)
    if prices.shape != shape:
        raise ValueError(f"{name}: shape {prices.shape}, not {shape}")
    if np.isinf(prices).any() or (prices <= 0).any():
        raise ValueError(f"{name}: a price is not finite or not above 0")
    return prices


def _whole(name: str, values: ArrayLike, shape: tuple[int, ...], low: int, high: int) -> None:
    numbers = np.asarray(values)
    if numbers.shape != shape:
        raise ValueError(f"{name}: shape {numbers.shape}, not {shape}")
    if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"{name}: holds {numbers.dtype}, not whole numbers")
    if ((numbers < low) | (numbers > high)).any():
        raise ValueError(f"{name}: a number is outside {low}…{high}")
