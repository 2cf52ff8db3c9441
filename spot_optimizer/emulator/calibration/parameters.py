"""The parameters of the market, taken from recorded prices."""

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from spot_optimizer.emulator.calibration.recorded import Floats, PoolName, Series
from spot_optimizer.emulator.calibration.statistics import (
    LAGS,
    autocorrelation,
    common_moves,
    daily_returns,
)
from spot_optimizer.emulator.market.noise import interpolated, key, normals

OCTAVES = (1.0, 3.0, 8.0, 20.0)  # days between knots
SLOT_HOURS, JITTER_HOURS = 6.0, 0.9  # nine in ten gaps of busy pools: 4.8 to 7.2 hours
# Corrections for quiet weeks, in which prices hardly move; some last a whole record.
FOR_QUIET_WEEKS = {"daily_sd": 1.3, "pinned_share": -0.025}
STRESS_CHANCE = 0.05  # in 45 days and a family; the recorded span shows too few to fit it


def market_parameters(
    series: Mapping[PoolName, Series], on_demand: Mapping[str, float], bands: list[int]
) -> dict[str, Any]:
    """Return the fields of ``MarketFit``, as plain JSON numbers."""
    returns = daily_returns(series)
    spread = returns.std(axis=1)
    moving = np.array([len(np.unique(pool.prices)) > 1 for pool in series.values()])
    low, middle, high = np.percentile(np.log(spread[spread > 0]), (10, 50, 90))
    region, family, kind = sorted(common_moves(series, returns).values())
    return {
        "pinned_share": round(float(1 - moving.mean()) + FOR_QUIET_WEEKS["pinned_share"], 3),
        **_levels(series, on_demand, moving),
        "daily_sd_median": round(float(np.exp(middle)) * FOR_QUIET_WEEKS["daily_sd"], 5),
        "daily_sd_spread": [
            round(float(part) / 1.2816, 3) for part in (middle - low, high - middle)
        ],
        "slot_hours": SLOT_HOURS,
        "jitter_hours": JITTER_HOURS,
        "octaves": _octaves([autocorrelation(returns, lag) for lag in LAGS]),
        "shares": [round(part, 3) for part in (region, family - region, kind - family)],
        "stress_chance": STRESS_CHANCE,
        "band_shares": [round(count / sum(bands), 3) for count in bands],
    }


def _levels(
    series: Mapping[PoolName, Series], on_demand: Mapping[str, float], moving: Floats
) -> dict[str, Any]:
    names = [name for name in series if name[1] in on_demand]
    level = {n: float(np.log(np.median(series[n].prices) / on_demand[n[1]])) for n in names}
    moves = dict(zip(series, moving, strict=True))
    free = [name for name in names if moves[name]]
    pinned = np.array([level[name] for name in names if not moves[name]])
    kinds = {kind: np.mean([level[n] for n in free if n[1] == kind]) for _, kind in free}
    families = {
        family: np.mean([level[n] for n in free if n[1].partition(".")[0] == family])
        for family in {kind.partition(".")[0] for kind in kinds}
    }
    of_family = [families[kind.partition(".")[0]] for _, kind in free]
    of_type = [kinds[kind] - families[kind.partition(".")[0]] for _, kind in free]
    of_zone = [level[name] - kinds[name[1]] for name in free]
    spreads = [round(float(np.std(part)), 3) for part in (of_family, of_type, of_zone)]
    return {
        "pinned_spread": 0.3,
        "pinned_ratio": round(float(np.exp(np.median(pinned))), 3),
        "ratio_median": round(float(np.exp(np.median([level[n] for n in free]))), 3),
        "ratio_sd": spreads,
    }


def _octaves(wanted: list[float]) -> list[list[float]]:
    """Return knots distances and weights whose returns correlate over the days as wanted."""
    days = np.arange(0, 400.0)
    keys = np.array([[key("octaves", row)] for row in range(60)], np.uint64)
    waves = [
        interpolated(partial(normals, keys + np.uint64(i)), np.tile(days / distance, (60, 1)))
        for i, distance in enumerate(OCTAVES)
    ]
    tenths = itertools.product(range(11), repeat=len(OCTAVES))
    best = min(
        ([part / 10 for part in parts] for parts in tenths if sum(parts) == 10),
        key=lambda shares: _miss(_mixed(shares, waves), wanted),
    )
    unit = np.diff(_mixed(best, waves)).std()
    weights = [np.sqrt(s) / np.diff(w).std() / unit for s, w in zip(best, waves, strict=True)]
    return [[d, round(float(w), 4)] for d, w in zip(OCTAVES, weights, strict=True) if w]


def _mixed(shares: list[float], waves: list[Floats]) -> Floats:
    """Return the sum of the waves, each with its share of the variance of daily changes."""
    parts = [np.sqrt(s) * w / np.diff(w).std() for s, w in zip(shares, waves, strict=True)]
    mixed: Floats = np.sum(parts, axis=0)
    return mixed


def _miss(path: Floats, wanted: list[float]) -> float:
    found = [autocorrelation(np.diff(path), lag) for lag in LAGS]
    return float(np.abs(np.subtract(found, wanted)).sum())
