"""Validates inputs, and brings them into the one order in which they are processed."""

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences
from spot_optimizer.engine.market import InstanceType, Machine, Market

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
SIGNALS = ("NONE", "REBALANCE", "TERMINATION")
PURCHASES = ("spot", "on_demand")
MODES = ("CLUSTER_FULL", "SINGLE_LINEAR")
ENA = ("required", "supported", "unsupported")


def validate(inputs: Inputs) -> None:
    """
    Check the inputs of a decision.

    Parameters
    ----------
    inputs : Inputs

    Raises
    ------
    ValueError
        Naming the argument, if a shape, a sign or a code is wrong, a number is not finite where
        it must be, a pool is listed twice, or the machine's type is not listed.
    """
    _check_types(inputs.market.types)
    _check_market(inputs.market)
    _check_machine(inputs.machine, inputs.market)
    _check_preferences(inputs.preferences)
    _check_costs(inputs.costs)
    _check_code("signal", inputs.signal, SIGNALS)
    _check_code("pipeline_mode", inputs.stages.pipeline_mode, MODES)
    if not isinstance(inputs.model, RiskModel):
        raise ValueError(f"model: {type(inputs.model).__name__} is not a risk model")  # noqa: TRY004


def canonical(inputs: Inputs) -> Inputs:
    """
    Return the same inputs with types, zones and pools in the order of their names.

    Parameters
    ----------
    inputs : Inputs
        Validated.

    Returns
    -------
    Inputs
        Equal inputs become identical: numbers are floats, and the machine's zone is among the
        zones.
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
    types = sorted(range(len(market.types)), key=lambda i: market.types[i].name)
    zones = sorted({*market.zones, own_zone})
    type_index = np.argsort(np.array(types, dtype=np.intp))[market.type_index]
    zone_index = np.array([zones.index(z) for z in market.zones], dtype=np.intp)[market.zone_index]
    pools = np.lexsort((zone_index, type_index))
    return replace(
        market,
        types=tuple(market.types[i] for i in types),
        on_demand_price=np.asarray(market.on_demand_price, dtype=np.float64)[types],
        band=np.asarray(market.band, dtype=np.int8)[types],
        zones=tuple(zones),
        type_index=type_index[pools],
        zone_index=zone_index[pools],
        spot_price=np.asarray(market.spot_price, dtype=np.float64)[pools],
        low_7d=np.asarray(market.low_7d, dtype=np.float64)[pools],
        high_7d=np.asarray(market.high_7d, dtype=np.float64)[pools],
    )


def _check_types(types: tuple[InstanceType, ...]) -> None:
    _check_unique("types", [each.name for each in types])
    for each in types:
        if not (each.vcpu > 0 and 0 < each.memory_gib < np.inf):
            raise ValueError(f"types: {each.name} needs vCPU and memory above 0")
        if each.accelerators < 0 or not 0 <= each.local_storage_gib < np.inf:
            raise ValueError(f"types: {each.name} has a negative or infinite part")
        _check_code(f"types: ena of {each.name}", each.ena, ENA)


def _check_market(market: Market) -> None:
    types, pools = (len(market.types),), np.shape(market.type_index)
    if len(pools) != 1:
        raise ValueError(f"type_index: shape {pools} is not one-dimensional")
    if not TIMESTAMP.fullmatch(market.as_of):
        raise ValueError(f"as_of: {market.as_of!r} is not a time in UTC (ISO 8601)")
    _check_unique("zones", market.zones)
    _checked_prices("on_demand_price", market.on_demand_price, types)
    _check_integers("band", market.band, types, -1, 4)
    _check_integers("type_index", market.type_index, pools, 0, len(market.types) - 1)
    _check_integers("zone_index", market.zone_index, pools, 0, len(market.zones) - 1)
    if np.isnan(_checked_prices("spot_price", market.spot_price, pools)).any():
        raise ValueError("spot_price: a pool has no price")
    low = _checked_prices("low_7d", market.low_7d, pools)
    high = _checked_prices("high_7d", market.high_7d, pools)
    if (np.isnan(low) != np.isnan(high)).any() or (low > high).any():
        raise ValueError("low_7d: above high_7d, or only one of the two is known")
    keys = np.asarray(market.type_index) * len(market.zones) + np.asarray(market.zone_index)
    if len(np.unique(keys)) != len(keys):
        raise ValueError("type_index, zone_index: a pool is listed twice")


def _check_machine(machine: Machine, market: Market) -> None:
    _check_code("purchase", machine.purchase, PURCHASES)
    if not machine.zone:
        raise ValueError("zone: the machine's zone is empty")
    if machine.instance_type not in {each.name for each in market.types}:
        raise ValueError(f"instance_type: {machine.instance_type!r} is not among the types")


def _check_preferences(preferences: Preferences) -> None:
    _check_amount("downtime_usd_per_hour", preferences.downtime_usd_per_hour)
    if not 0 <= preferences.safety_gate <= 1:
        raise ValueError(f"safety_gate: {preferences.safety_gate} is not a probability")


def _check_costs(costs: Costs) -> None:
    for name, minutes in costs._asdict().items():
        _check_amount(name, minutes)


def _check_amount(name: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise ValueError(f"{name}: {value} is negative or not finite")


def _check_code(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(allowed)}")


def _check_unique(name: str, values: Collection[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name}: a name is listed twice")


def _checked_prices(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return prices of that shape, positive or unknown (nan). [USD/h]"""
    prices = np.asarray(values, dtype=np.float64)
    if prices.shape != shape:
        raise ValueError(f"{name}: shape {prices.shape}, not {shape}")
    if np.isinf(prices).any() or (prices <= 0).any():
        raise ValueError(f"{name}: a price is not finite or not above 0")
    return prices


def _check_integers(
    name: str, values: ArrayLike, shape: tuple[int, ...], low: int, high: int
) -> None:
    numbers = np.asarray(values)
    if numbers.shape != shape:
        raise ValueError(f"{name}: shape {numbers.shape}, not {shape}")
    if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"{name}: {numbers.dtype} instead of integers")
    if ((numbers < low) | (numbers > high)).any():
        raise ValueError(f"{name}: a number is outside {low}…{high}")
