"""The parameters of the price model, fitted to recorded prices by ``emulator.calibration``."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).with_name("fitted.json")


class FamilyRates(NamedTuple):
    """
    The hourly on-demand rates of a family: ``per_unit`` for a unit, ``per_gpu`` for a GPU.

    A unit is a vCPU, or a GiB of memory where ``by_memory``. ``regions`` holds the factor of each
    region that has the family; the rates are those of us-east-1.
    """

    per_unit: float
    per_gpu: float
    by_memory: bool
    regions: dict[str, float]


class MarketFit(NamedTuple):
    """The parameters of the price model; ``price_model`` describes them."""

    pinned_share: float
    pinned_spread: float
    pinned_ratio: float
    ratio_median: float
    ratio_sd: tuple[float, float, float]
    daily_sd_median: float
    daily_sd_spread: tuple[float, float]
    slot_hours: float
    jitter_hours: float
    octaves: tuple[tuple[float, float], ...]
    shares: tuple[float, float, float]
    stress_chance: float
    band_shares: tuple[float, ...]


@cache
def family_rates() -> dict[str, FamilyRates]:
    """Return the rates of every family that could be fitted."""
    return {name: FamilyRates(*rates) for name, rates in _fitted()["families"].items()}


@cache
def market_fit() -> MarketFit:
    """Return the parameters of the market."""
    return market_fit_of(_fitted()["market"])


def market_fit_of(numbers: dict[str, Any]) -> MarketFit:
    """Return the parameters from their JSON numbers."""
    return MarketFit(**{name: _frozen(number) for name, number in numbers.items()})


def _frozen(number: Any) -> Any:
    return tuple(map(_frozen, number)) if isinstance(number, list) else number


@cache
def _fitted() -> dict[str, Any]:
    fitted: dict[str, Any] = json.loads(PATH.read_text())
    return fitted
