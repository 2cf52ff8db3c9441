"""Random numbers as a pure function of a key and a tick (random access)."""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]


def key(*names: object) -> int:
    """Return the 64-bit key of these names; the same in every process."""
    text = "\0".join(map(str, names)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def uniforms(keys: Keys, ticks: ArrayLike) -> Floats:
    """Return a uniform number above 0 and below 1 for each pair of key and tick (broadcast)."""
    addresses = np.atleast_1d(ticks).astype(np.int64).astype(np.uint64)
    hashed = _mix(keys ^ _mix(addresses + np.uint64(0x9E3779B97F4A7C15)))
    numbers: Floats = ((hashed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return numbers


def normals(keys: Keys, ticks: ArrayLike) -> Floats:
    """Return a standard normal number for each pair of key and tick, cut off at ±3."""
    radius = np.sqrt(-2 * np.log(uniforms(keys ^ np.uint64(0xA5A5), ticks)))
    angle = 2 * np.pi * uniforms(keys ^ np.uint64(0x5A5A), ticks)
    numbers: Floats = np.clip(radius * np.cos(angle), -3, 3)
    return numbers


def interpolated(knots: Callable[[Floats], Floats], at: Floats) -> Floats:
    """
    Return a smooth curve through knots at whole numbers, one curve in each row of ``at``.

    ``knots(ticks)`` gives the heights, shape (rows, ticks).
    """
    ticks = tick_range(at)
    heights = knots(ticks)
    left = np.floor(at).astype(np.int64)
    column = left - int(ticks[0])
    start = np.take_along_axis(heights, column, axis=1)
    rise = np.take_along_axis(heights, column + 1, axis=1) - start
    return start + rise * smooth(at - left)


def tick_range(at: Floats) -> Floats:
    """Return the whole numbers around ``at``: from one before the least to one after the most."""
    return np.arange(np.floor(at.min()) - 1, np.floor(at.max()) + 2)


def smooth(x: Floats) -> Floats:
    """Return the curve that rises from (0, 0) to (1, 1) and has slope 0 at both."""
    return x * x * (3 - 2 * x)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finalizer of splitmix64: every bit of the input changes half of the output.
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
