"""How likely an interruption is: risk models and the one checked way to read their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.features import BANDS, Features, known_bands
from spot_optimizer.engine.hazard.artifact_schema import (
    HORIZON_HOURS,
    check_features,
    exactly,
    number,
)
from spot_optimizer.engine.hazard.logistic import read_logistic


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


@dataclass(frozen=True, slots=True)
class AdvisorPrior:
    """
    AWS's own interruption bands as a hazard, bent by the stress of the family.

    Knows nothing of zones: Spot Advisor speaks of a type in a region.
    """

    monthly_share: tuple[float, ...]  # of instances interrupted within a month, by band
    hours_per_month: float
    family_stress_doublings: float  # of the hazard, from no stress (0) to full stress (1)

    def __post_init__(self) -> None:
        if len(self.monthly_share) != BANDS:
            raise ValueError(f"monthly_share: {len(self.monthly_share)} shares, not {BANDS}")
        if not all(0 <= share < 1 for share in self.monthly_share):
            raise ValueError("monthly_share: a share is outside 0…1 (1 itself is no hazard)")
        if list(self.monthly_share) != sorted(self.monthly_share):
            raise ValueError("monthly_share: falls from one band to the next")
        if not 1 <= self.hours_per_month < inf:
            raise ValueError(f"hours_per_month: {self.hours_per_month} is below 1 or not finite")
        if not 0 <= self.family_stress_doublings < 64:
            raise ValueError("family_stress_doublings: outside 0…64")

    def hazard(self, features: Features) -> NDArray[np.float64]:
        """
        Return the hazard of each spot pool.

        Parameters
        ----------
        features : Features, m pools
            ``advisor_band`` and ``family_stress_mean`` are used.

        Returns
        -------
        ndarray, shape (m,)
            nan where the band is unknown. [1/h]

        Raises
        ------
        ValueError
            If a band is above 4 or below -1.

        Notes
        -----
        A constant hazard λ interrupts the share 1 - exp(-λ·T) within T hours, so the share s of a
        month means λ = -ln(1 - s) / T. Stress x in 0…1 multiplies it by 2^(d·(x - ½)): neutral at
        the middle of the range, and where the stress is unknown.
        """
        band = known_bands(features)
        by_band = -np.log1p(-np.array([*self.monthly_share, np.nan])) / self.hours_per_month
        doublings = self.family_stress_doublings * (features.family_stress_mean - 0.5)
        factor = np.exp2(np.where(np.isnan(doublings), 0.0, doublings))
        return np.asarray(by_band[band] * factor, dtype=np.float64)

    def describe(self) -> str:
        """Return one sentence for a person, with every parameter in it."""
        shares = ", ".join(f"{share:.6g}" for share in self.monthly_share)
        return (
            f"Spot Advisor prior: hazard = -ln(1 - share) / {self.hours_per_month:.6g} h with "
            f"monthly shares {shares} for bands 0 to 4, times "
            f"2^({self.family_stress_doublings:.6g} · (family stress - 0.5))."
        )

    def artifact(self) -> dict[str, Any]:
        """Return what :func:`parse_model` reads back as an equal model."""
        return {
            "kind": "advisor_prior",
            "horizon_hours": HORIZON_HOURS,
            "features": ["advisor_band", "family_stress_mean"],
            "parameters": {
                "monthly_share": list(self.monthly_share),
                "hours_per_month": self.hours_per_month,
                "family_stress_doublings": self.family_stress_doublings,
            },
        }


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


def parse_model(artifact: Mapping[str, Any]) -> RiskModel:
    """
    Return the risk model a mapping (a JSON artifact, read by the caller) describes.

    :raises ValueError: saying what is wrong: the kind, the horizon, the names of features or
        parameters, or a number that is none, not finite or out of range.
    """
    if not isinstance(artifact, Mapping):
        raise ValueError("model: not an object")  # noqa: TRY004
    exactly("model", artifact, ("kind", "horizon_hours", "features", "parameters"))
    _horizon(artifact)
    if artifact["kind"] == "advisor_prior":
        return _advisor_prior(artifact)
    if artifact["kind"] == "logistic":
        return read_logistic(artifact)
    raise ValueError(
        f"kind: {artifact['kind']!r} is not known; known are advisor_prior and logistic"
    )


def _horizon(artifact: Mapping[str, Any]) -> None:
    if number("horizon_hours", artifact["horizon_hours"]) != HORIZON_HOURS:
        raise ValueError(f"horizon_hours: must be {HORIZON_HOURS:g}")


def _advisor_prior(artifact: Mapping[str, Any]) -> AdvisorPrior:
    check_features(artifact, ("advisor_band", "family_stress_mean"))
    parameters = artifact["parameters"]
    exactly(
        "parameters", parameters, ("monthly_share", "hours_per_month", "family_stress_doublings")
    )
    if not isinstance(parameters["monthly_share"], list | tuple):
        raise ValueError("monthly_share: not a list")  # noqa: TRY004
    return AdvisorPrior(
        monthly_share=tuple(number("monthly_share", s) for s in parameters["monthly_share"]),
        hours_per_month=number("hours_per_month", parameters["hours_per_month"]),
        family_stress_doublings=number(
            "family_stress_doublings", parameters["family_stress_doublings"]
        ),
    )
