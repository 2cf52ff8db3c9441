"""The interface of risk models, and the conversion between hazard and probability."""

from math import log
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.features import Features

HORIZON_HOURS = 1.0  # [h] of every interruption probability


@runtime_checkable
class RiskModel(Protocol):
    """A model that estimates hazards from features."""

    def hazard(self, features: Features) -> NDArray[np.float64]:
        """
        Return the expected number of interruptions per hour of each spot pool.

        Parameters
        ----------
        features : Features, m pools

        Returns
        -------
        ndarray, shape (m,)
            0 or more; nan: unknown. [1/h]
        """
        ...

    def describe(self) -> str:
        """Return one sentence for people that contains every parameter."""
        ...

    def artifact(self) -> dict[str, Any]:
        """Return the artifact from which ``parse_model`` makes an equal model."""
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
        1 - exp(-hazard · 1 h); nan if the hazard is unknown.

    Raises
    ------
    ValueError
        If a hazard is negative or infinite.

    Notes
    -----
    A constant hazard makes interruptions a Poisson process: the probability of none within T
    hours is exp(-hazard · T).
    """
    hazards = np.asarray(hazard, dtype=np.float64)
    if (hazards < 0).any() or np.isinf(hazards).any():
        raise ValueError("hazard: negative or infinite")
    return -np.expm1(-hazards * HORIZON_HOURS)


def hazard_from_probability(probability: float) -> float:
    """
    Return the constant hazard with a given P(interruption within one hour).

    Parameters
    ----------
    probability : float
        From 0 to below 1.

    Returns
    -------
    float
        -ln(1 - probability) / 1 h, the inverse of :func:`probability`. [1/h]

    Raises
    ------
    ValueError
        If ``probability`` is outside 0…1, or 1 itself.
    """
    if not 0 <= probability < 1:
        raise ValueError(f"probability: {probability} is outside 0…1, or 1 itself")
    return -log(1 - probability) / HORIZON_HOURS
