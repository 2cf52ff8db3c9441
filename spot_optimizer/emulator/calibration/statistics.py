"""The statistics by which recorded and modelled series are compared."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.emulator.calibration.recorded import Floats, PoolName, Series
from spot_optimizer.emulator.market.price_model import DAY, HOUR, STEPS_OF_A_DOLLAR

LAGS = (1, 2, 3, 5, 7)  # [days]


def statistics(
    series: Mapping[PoolName, Series], on_demand: Mapping[str, float]
) -> dict[str, float]:
    """Return the figures of a market, by name, in the order of the report."""
    steps, gaps, rates, repeats, ranges = _of_rows(series)
    largest = max(_largest_step(pool.prices) for pool in series.values())
    returns = daily_returns(series)
    spread = returns.std(axis=1)
    discounts = _discounts(series, on_demand)
    found = {
        "changes a pool-day": float(rates.mean()),
        "changes a pool-day, 90th percentile pool": _percentile(rates, 90),
        "share of pools that never change": float((rates == 0).mean()),
        "share of rows that repeat the price": repeats,
        "hours between changes, median": _percentile(gaps, 50),
        "hours between changes, 5th percentile": _percentile(gaps, 5),
        "step, median [%]": 100 * _percentile(steps, 50),
        "step, 90th percentile [%]": 100 * _percentile(steps, 90),
        "step, largest of more than 0.0001 USD [%]": 100 * largest,
        "sd of daily log return, median pool [%]": 100 * _percentile(spread, 50),
        "sd of daily log return, 90th percentile pool [%]": 100 * _percentile(spread, 90),
        "highest over lowest, median pool [%]": 100 * _percentile(ranges, 50),
        "discount, median [%]": 100 * _percentile(discounts, 50),
        "discount, 10th percentile [%]": 100 * _percentile(discounts, 10),
        "discount, 90th percentile [%]": 100 * _percentile(discounts, 90),
        "below on-demand [%]": 100 * float((discounts > 0).mean()),
    }
    found |= {f"more than 5 % up within {h} h [%]": _rises(series, h) for h in (6, 24, 72)}
    found |= {
        f"correlation of daily returns, {lag} days apart": autocorrelation(returns, lag)
        for lag in LAGS
    }
    return found | common_moves(series, returns)


def _of_rows(
    series: Mapping[PoolName, Series],
) -> tuple[Floats, Floats, Floats, float, Floats]:
    steps, gaps, rates, ranges = [], [], [], []
    rows = 0
    for times, prices in series.values():
        moves = np.diff(np.log(prices))
        changed = np.flatnonzero(moves) + 1
        steps.append(np.abs(moves[changed - 1]))
        gaps.append(np.diff(times[changed]) / HOUR)
        rates.append(len(changed) / ((times[-1] - times[0]) / DAY))
        ranges.append(np.log(prices.max() / prices.min()))
        rows += len(moves)
    all_steps = np.concatenate(steps)
    repeats = 1 - len(all_steps) / rows
    return all_steps, np.concatenate(gaps), np.array(rates), repeats, np.array(ranges)


def _largest_step(prices: Floats) -> float:
    # Cheap pools cannot move by less than 0.0001 USD, which may be many per cent.
    free = np.abs(np.diff(prices)) > 1.5 / STEPS_OF_A_DOLLAR
    return float(np.abs(np.diff(np.log(prices)))[free].max(initial=0.0))


def prices_at(series: Series, times: Floats) -> Floats:
    """Return the price in force at each time; before the first row, the first."""
    index = np.searchsorted(series.times, times, side="right") - 1
    held: Floats = series.prices[np.maximum(index, 0)]
    return held


def _grid(series: Mapping[PoolName, Series], step: float) -> Floats:
    start = max(pool.times[0] for pool in series.values())
    end = min(pool.times[-1] for pool in series.values())
    return np.arange(start, end, step)


def daily_returns(series: Mapping[PoolName, Series]) -> Floats:
    """Return the daily log returns, one row for each pool."""
    days = _grid(series, DAY)
    return np.array([np.diff(np.log(prices_at(pool, days))) for pool in series.values()])


def autocorrelation(returns: Floats, lag: int) -> float:
    """Return the correlation of returns ``lag`` days apart, over all pools and days."""
    return float(np.corrcoef(returns[:, :-lag].ravel(), returns[:, lag:].ravel())[0, 1])


def _rises(series: Mapping[PoolName, Series], hours: int) -> float:
    grid = _grid(series, HOUR)
    risen = [
        np.mean(prices[hours:] > 1.05 * prices[:-hours])
        for prices in (prices_at(pool, grid) for pool in series.values())
    ]
    return 100 * float(np.mean(risen))


def _discounts(series: Mapping[PoolName, Series], on_demand: Mapping[str, float]) -> Floats:
    grid = _grid(series, DAY)
    return np.concatenate(
        [
            1 - prices_at(pool, grid) / on_demand[kind]
            for (_, kind), pool in series.items()
            if kind in on_demand
        ]
    )


def common_moves(series: Mapping[PoolName, Series], returns: Floats) -> dict[str, float]:
    """Return the mean correlation of daily returns of pools that share a type, a family, none."""
    moving = returns.std(axis=1) > 0
    names = np.array(list(series))[moving]
    scaled = returns[moving] - returns[moving].mean(axis=1, keepdims=True)
    scaled /= scaled.std(axis=1, keepdims=True)
    correlation = scaled @ scaled.T / scaled.shape[1]
    family = np.array([kind.partition(".")[0] for kind in names[:, 1]])
    same_type, same_family = _equal(names[:, 1]), _equal(family)
    pairs = np.triu(np.ones_like(correlation, bool), 1)
    groups = {
        "type": same_type,
        "family, not type": same_family & ~same_type,
        "region only": ~same_family,
    }
    return {
        f"correlation of pools of one {name}": float(correlation[group & pairs].mean())
        for name, group in groups.items()
    }


def _equal(names: NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.asarray(names[:, None] == names[None, :])


def _percentile(numbers: Floats, percent: float) -> float:
    return float(np.percentile(numbers, percent))
