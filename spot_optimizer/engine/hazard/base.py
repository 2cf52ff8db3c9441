"""The interface of risk models, and the conversion between hazard and probability."""

from math import log
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.features import Features

HORIZON_HOURS = 1.0  # [h] of every interruption probability


@runtime_checkable
class RiskModel(Protocol):
    """Whatever turns features into a hazard."""

    def hazard(self, features: Features) -> NDArray[np.float64]:
        """Return the interruptions of each spot pool to expect; nan: unknown. [1/h]"""
        ...

    def describe(self) -> str:
        """Return one sentence for a person, with every parameter in it."""
        ...

    def artifact(self) -> dict[str, Any]:
        """Return what :func:`parse_model` reads back as an equal model."""
        ...


def probability(hazard: ArrayLike) -> NDArray[np.float64]:
    """
    Return P(interruption within one hour).

    Parameters
    ----------
    hazard : array_like
        Constant over the hour; nan: unknown. [1/h]

    Returns
    -------
    ndarray, shape of ``hazard``
        1 - exp(-hazard · 1 h); nan where the hazard is unknown.

    Raises
    ------
    ValueError
        If a hazard is negative or infinite.
    """
    hazards = np.asarray(hazard, dtype=np.float64)
    if (hazards < 0).any() or np.isinf(hazards).any():
        raise ValueError("hazard: negative or infinite")
    return -np.expm1(-hazards * HORIZON_HOURS)


def hazard_of(chance: float) -> float:
    """
    Return the constant hazard that interrupts with that probability within one hour. [1/h]

    :raises ValueError: if ``chance`` is outside 0…1, or 1 itself.
    """
    if not 0 <= chance < 1:
        raise ValueError(f"chance: {chance} is outside 0…1, or 1 itself")
    return -log(1 - chance) / HORIZON_HOURS
