"""
The spot market: a stochastic model whose prices are a pure function of seed, pool and time.

A pool is either *pinned* (its price never moves) or it moves. A moving pool's price is

    on-demand price · ratio · exp(daily_sd · activity(t) · path(t) + exposure · stress(t))

never above the on-demand price and rounded to 1/10,000 USD. ``path`` is a sum of smooth noises
with knots some days apart, scaled so that its daily change has unit variance. Part of each knot
is common to the region, to the family and to the type. ``activity``, from 0 to 1, models weeks
in which a price hardly moves: often in some pools, never in others. ``stress`` affects a whole
family of a region at once: it rises for three days, is constant for two and falls for eight. Each
pool is checked about every six hours: a changed price is published, an unchanged one about daily.

For random access, each random number is a hash of a key (seed and names) and a tick (the number of
a knot, a slot or a month). The fitted parameters are in ``fitted.json``;
``spot_optimizer.emulator.calibration`` reports the quality of the fit.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.emulator.market.fitted import MarketFit
from spot_optimizer.emulator.market.noise import (
    interpolated,
    key,
    normals,
    smooth,
    tick_range,
    uniforms,
)

DAY = 86_400.0  # [s]
HOUR = 3_600.0  # [s]
EARLIER_SLOTS = 16  # more than between two rows of a pool, to include the row before the start

STRESS_CELL = 45 * DAY  # at most one stress each
STRESS_SIZE = (0.05, 0.25)  # of the logarithm of the price, before the pool's exposure
EXPOSURE = (0.5, 1.2)
ACTIVITY_KNOTS = 20.0  # [days]
ACTIVITY_LEVEL, ACTIVITY_VARIETY, ACTIVITY_SPREAD = 1.5, 1.5, 1.0
LARGEST_DAILY_SD = 0.045  # limits a step to six per cent

RATIO_LIMITS = (0.08, 1.0)
STEPS_OF_A_DOLLAR = 10_000

Floats = NDArray[np.float64]


class Pool(NamedTuple):
    """Where a price applies. ``surcharge`` (a licence) is added to price and on-demand price."""

    region: str
    zone_id: str
    instance_type: str
    product: str
    on_demand: float
    surcharge: float

    @property
    def family(self) -> str:
        return self.instance_type.partition(".")[0]


class Rows(NamedTuple):
    """Published prices: the number of the pool, the time and the price of each. [s], [USD/h]"""

    pool: NDArray[np.int64]
    time: NDArray[np.int64]
    price: Floats


class Market:
    """The market of one seed."""

    def __init__(self, seed: int, fit: MarketFit) -> None:
        self._seed = seed
        self._fit = fit

    def rows(self, pools: Sequence[Pool], start: float, end: float) -> Rows:
        """
        Return the rows of ``pools`` published from ``start`` to ``end``, and the row before.

        Times are seconds since 1970. The row before ``start`` gives the price in force there.
        """
        blocks = [pools[i : i + 256] for i in range(0, len(pools), 256)]
        found = [self._block(block, start, end) for block in blocks]
        if not found:
            return Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        offsets = np.repeat(np.arange(len(found)) * 256, [len(rows.pool) for rows in found])
        pool, time, price = (np.concatenate(column) for column in zip(*found, strict=True))
        return Rows(pool + offsets, time, price)

    def price(self, pool: Pool, at: float) -> float:
        """Return the price in force. [USD/h]"""
        return float(self.rows([pool], at, at).price[-1])

    def mean_ratio(self, pools: Sequence[Pool], end: float) -> Floats:
        """Return the mean of price over on-demand price in the 30 days before ``end``."""
        times = np.broadcast_to(end - np.arange(0, 30, 0.5) * DAY, (len(pools), 60))
        mean: Floats = (self._prices(pools, times) / _on_demand(pools)).mean(axis=1)
        return mean

    def monthly_interruptions(self, pools: Sequence[Pool], end: float) -> Floats:
        """
        Return the share of instances reclaimed in the 30 days before ``end``.

        It is one number for a type in a region, changes over weeks, and grows with stress.
        """
        times = np.broadcast_to(end - np.arange(0, 30, 1.0) * DAY, (len(pools), 30))
        family = self._keys(pools, "risk", "region", "family")
        own = self._keys(pools, "risk", "region", "family", "instance_type")
        drift = interpolated(lambda ticks: normals(own, ticks), times[:, :1] / (45 * DAY))
        level = 0.6 * normals(family, 0) + 0.65 * normals(own, -1) + 0.6 * drift
        rank = np.interp(level[:, 0], _NORMAL_QUANTILES, _RANKS)
        shares = np.concatenate([[0.0], np.cumsum(self._fit.band_shares)])
        calm = np.interp(rank, shares / shares[-1], [0.0, 0.05, 0.10, 0.15, 0.20, 0.45])
        stressed: Floats = calm + 0.3 * self._stress(pools, times).mean(axis=1)
        return np.minimum(0.9, stressed)

    def _block(self, pools: Sequence[Pool], start: float, end: float) -> Rows:
        slot = self._fit.slot_hours * HOUR
        ticks = np.arange(start // slot - EARLIER_SLOTS, end // slot + 2)
        times = self._times(pools, ticks)
        prices = self._prices(pools, times)
        published = _published(prices, ticks, self._daily_tick(pools))
        # The first columns are only compared with later ones; they give no rows.
        times, prices = times[:, 5:], prices[:, 5:]
        before = np.where(published & (times < start), times, -1).argmax(axis=1)
        published &= (times >= start) & (times <= end)
        published[np.arange(len(pools)), before] = True
        pool, column = np.nonzero(published)
        return Rows(pool, times[pool, column].astype(np.int64), prices[pool, column])

    def _times(self, pools: Sequence[Pool], ticks: Floats) -> Floats:
        keys = self._keys(pools, "time", "region", "zone_id", "instance_type", "product")
        jitter = (2 * uniforms(keys, ticks) - 1) * self._fit.jitter_hours * HOUR
        phase = uniforms(keys + np.uint64(1), 0) * (self._fit.slot_hours * HOUR)
        times: Floats = np.floor(ticks * self._fit.slot_hours * HOUR + phase + jitter)
        return times

    def _daily_tick(self, pools: Sequence[Pool]) -> Floats:
        keys = self._keys(pools, "daily", "region", "zone_id", "instance_type", "product")
        tick: Floats = np.floor(uniforms(keys, 0) * 4)
        return tick

    def _prices(self, pools: Sequence[Pool], times: Floats) -> Floats:
        traits = _traits(self._seed, self._fit, tuple(pools))
        move = traits.daily_sd * self._path(pools, times) * self._activity(pools, times)
        move += traits.exposure * self._stress(pools, times)
        surcharge = np.array([[pool.surcharge] for pool in pools])
        price = _on_demand(pools) * traits.ratio * np.exp(move) + surcharge
        # The bound is rounded down, so that rounding the price cannot exceed it.
        highest = np.floor((_on_demand(pools) + surcharge) * STEPS_OF_A_DOLLAR + 1e-6)
        steps: Floats = np.minimum(np.round(price * STEPS_OF_A_DOLLAR), highest)
        return steps / STEPS_OF_A_DOLLAR

    def _path(self, pools: Sequence[Pool], times: Floats) -> Floats:
        names = ("region", "family", "instance_type", "zone_id", "product")
        layers = [self._keys(pools, "path", *names[:depth]) for depth in (1, 2, 3, 5)]
        weights = np.sqrt([*self._fit.shares, 1 - sum(self._fit.shares)])

        def knots(octave: int, ticks: Floats) -> Floats:
            drawn = np.stack([normals(keys + np.uint64(octave), ticks) for keys in layers])
            heights: Floats = np.tensordot(weights, drawn, axes=1)
            return heights

        path = np.zeros_like(times)
        for octave, (days, weight) in enumerate(self._fit.octaves):
            path += weight * interpolated(partial(knots, octave), times / (days * DAY))
        return path

    def _activity(self, pools: Sequence[Pool], times: Floats) -> Floats:
        keys = self._keys(pools, "activity", "region", "zone_id", "instance_type", "product")
        mood = interpolated(partial(normals, keys), times / (ACTIVITY_KNOTS * DAY))
        level = ACTIVITY_LEVEL + ACTIVITY_VARIETY * normals(keys + np.uint64(1), 0)
        return smooth(np.clip(level + ACTIVITY_SPREAD * mood, 0, 1))

    def _stress(self, pools: Sequence[Pool], times: Floats) -> Floats:
        keys = self._keys(pools, "stress", "region", "family")
        cells = tick_range(times / STRESS_CELL)
        has_stress = uniforms(keys, cells) < self._fit.stress_chance
        begins = (cells + uniforms(keys + np.uint64(1), cells)) * STRESS_CELL
        low, high = STRESS_SIZE
        size = has_stress * (low + (high - low) * uniforms(keys + np.uint64(2), cells))
        now = np.floor(times / STRESS_CELL).astype(np.int64) - int(cells[0])
        stress = np.zeros_like(times)
        for cell in (now, now - 1):
            age = times - np.take_along_axis(begins, cell, axis=1)
            stress += np.take_along_axis(size, cell, axis=1) * _stress_curve(age)
        return stress

    def _keys(self, pools: Sequence[Pool], purpose: str, *fields: str) -> NDArray[np.uint64]:
        return _keys(self._seed, tuple(pools), purpose, fields)


class Traits(NamedTuple):
    """The constant properties of pools; arrays of shape (pools, 1)."""

    ratio: Floats
    daily_sd: Floats
    exposure: Floats


@lru_cache(maxsize=32)
def _traits(seed: int, fit: MarketFit, pools: tuple[Pool, ...]) -> Traits:
    family, kind, own = (
        _keys(seed, pools, "traits", fields)
        for fields in (
            ("region", "family"),
            ("region", "family", "instance_type"),
            ("region", "family", "instance_type", "zone_id", "product"),
        )
    )
    spread = np.array([0.5, 0.75, np.sqrt(1 - 0.5**2 - 0.75**2)])
    mobility = sum(w * normals(k, 0) for w, k in zip(spread, (family, kind, own), strict=True))
    pinned = mobility < np.interp(fit.pinned_share, _RANKS, _NORMAL_QUANTILES)
    level = sum(w * normals(k, 1) for w, k in zip(fit.ratio_sd, (family, kind, own), strict=True))
    ratio = np.clip(fit.ratio_median * np.exp(level), *RATIO_LIMITS)
    pinned_ratio = np.clip(fit.pinned_ratio * np.exp(fit.pinned_spread * level), *RATIO_LIMITS)
    activity = normals(own, 2)
    below, above = fit.daily_sd_spread
    spread_of = np.where(activity < 0, below, above)
    daily_sd = fit.daily_sd_median * np.exp(spread_of * activity)
    low, high = EXPOSURE
    return Traits(
        np.where(pinned, pinned_ratio, ratio),
        np.where(pinned, 0.0, np.minimum(daily_sd, LARGEST_DAILY_SD)),
        np.where(pinned, 0.0, low + (high - low) * uniforms(own, 3)),
    )


@lru_cache(maxsize=256)
def _keys(
    seed: int, pools: tuple[Pool, ...], purpose: str, fields: tuple[str, ...]
) -> NDArray[np.uint64]:
    found = [key(seed, purpose, *(getattr(pool, field) for field in fields)) for pool in pools]
    return np.array(found, np.uint64)[:, None]


def _published(prices: Floats, ticks: Floats, daily_tick: Floats) -> NDArray[np.bool_]:
    """Return which slots, from the sixth on, are published: changes, and daily if unchanged."""
    changed = prices[:, 1:] != prices[:, :-1]
    quiet = ~(changed[:, 4:] | changed[:, 3:-1] | changed[:, 2:-2] | changed[:, 1:-3])
    published: NDArray[np.bool_] = changed[:, 4:] | (quiet & (ticks[5:] % 4 == daily_tick))
    return published


def _on_demand(pools: Sequence[Pool]) -> Floats:
    return np.array([[pool.on_demand] for pool in pools])


def _stress_curve(age: Floats) -> Floats:
    """Return the stress at an age: up from 0 to 1 in days 0 to 3, back to 0 in days 5 to 13."""
    days = age / DAY
    return smooth(np.clip(days / 3, 0, 1)) * (1 - smooth(np.clip((days - 5) / 8, 0, 1)))


_NORMAL_QUANTILES = np.linspace(-4, 4, 401)
_RANKS = np.cumsum(np.exp(-(_NORMAL_QUANTILES**2) / 2))
_RANKS /= _RANKS[-1]
