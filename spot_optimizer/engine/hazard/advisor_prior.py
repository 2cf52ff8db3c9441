"""A risk model from the Spot Advisor's interruption bands; nothing is fitted."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.features import BANDS, Features, validated_bands
from spot_optimizer.engine.hazard.artifact_schema import (
    check_feature_names,
    check_keys,
    check_number,
)
from spot_optimizer.engine.hazard.base import HORIZON_HOURS


@dataclass(frozen=True, slots=True)
class AdvisorPrior:
    """
    The Spot Advisor's interruption bands as a hazard, adjusted by the price stress of the family.

    All zones of a region have the same band: Spot Advisor publishes one for each type and region.
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
            nan if the band is unknown. [1/h]

        Raises
        ------
        ValueError
            If a band is above 4 or below -1.

        Notes
        -----
        A constant hazard λ interrupts the share 1 - exp(-λ·T) within T hours, so the share s of a
        month means λ = -ln(1 - s) / T. Stress x in 0…1 multiplies it by 2^(d·(x - ½)), which is 1
        in the middle of the range; an unknown stress counts as the middle.
        """
        band = validated_bands(features)
        by_band = -np.log1p(-np.array([*self.monthly_share, np.nan])) / self.hours_per_month
        doublings = self.family_stress_doublings * (features.family_stress_mean - 0.5)
        factor = np.exp2(np.where(np.isnan(doublings), 0.0, doublings))
        return np.asarray(by_band[band] * factor, dtype=np.float64)

    def describe(self) -> str:
        """Return one sentence for people that contains every parameter."""
        shares = ", ".join(f"{share:.6g}" for share in self.monthly_share)
        return (
            f"Spot Advisor prior: hazard = -ln(1 - share) / {self.hours_per_month:.6g} h with "
            f"monthly shares {shares} for bands 0 to 4, times "
            f"2^({self.family_stress_doublings:.6g} · (family stress - 0.5))."
        )

    def artifact(self) -> dict[str, Any]:
        """Return the artifact from which ``parse_model`` makes an equal model."""
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


def parse_advisor_prior(artifact: Mapping[str, Any]) -> AdvisorPrior:
    """
    Return the model that an artifact of kind ``advisor_prior`` describes.

    Parameters
    ----------
    artifact : mapping
        With ``features`` and ``parameters``.

    Returns
    -------
    AdvisorPrior

    Raises
    ------
    ValueError
        Naming the field, if features or parameters have other names, or a number is missing, not
        finite or out of range.
    """
    check_feature_names(artifact, ("advisor_band", "family_stress_mean"))
    parameters = artifact["parameters"]
    check_keys(
        "parameters", parameters, ("monthly_share", "hours_per_month", "family_stress_doublings")
    )
    if not isinstance(parameters["monthly_share"], list | tuple):
        raise ValueError("monthly_share: not a list")  # noqa: TRY004
    return AdvisorPrior(
        monthly_share=tuple(check_number("monthly_share", s) for s in parameters["monthly_share"]),
        hours_per_month=check_number("hours_per_month", parameters["hours_per_month"]),
        family_stress_doublings=check_number(
            "family_stress_doublings", parameters["family_stress_doublings"]
        ),
    )
