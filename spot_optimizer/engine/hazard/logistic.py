"""A fitted risk model: a logistic function of the Advisor's band and five market features."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.features import BANDS, Features, validated_bands
from spot_optimizer.engine.hazard.artifact_schema import (
    check_feature_names,
    check_keys,
    check_number,
)
from spot_optimizer.engine.hazard.base import HORIZON_HOURS

MARKET_FEATURES = (
    "price_position",
    "discount_depth",
    "family_stress_mean",
    "family_stress_max",
    "region_stress_mean",
)
MAX_WEIGHT = 1000.0  # far above fitted weights, far below what overflows


class Term(NamedTuple):
    """The contribution of one market feature to the log-odds: weight · (value - mean) / scale."""

    mean: float
    scale: float  # above 0
    weight: float
    unknown: float | None  # added if the value is unknown; None: the hazard is unknown then


@dataclass(frozen=True, slots=True)
class Logistic:
    """
    The probability of an interruption within a window of hours, as a logistic of six features.

    The treatment of unknown features is part of the parameters: the code has no default for it.
    """

    window_hours: float  # for which the log-odds were fitted
    intercept: float
    bands: tuple[float, ...]  # added to the log-odds, by band
    band_unknown: float | None  # added if the band is unknown; None: the hazard is unknown then
    market: tuple[Term, ...]  # in the order of MARKET_FEATURES

    def __post_init__(self) -> None:
        if not 1 <= self.window_hours < inf:
            raise ValueError(f"window_hours: {self.window_hours} is below 1 or not finite")
        if len(self.bands) != BANDS:
            raise ValueError(f"advisor_band: {len(self.bands)} weights, not {BANDS}")
        if len(self.market) != len(MARKET_FEATURES):
            raise ValueError(f"market: {len(self.market)} terms, not {len(MARKET_FEATURES)}")
        for name, term in zip(MARKET_FEATURES, self.market, strict=True):
            _check_bounded(f"{name}: mean", term.mean)
            _check_bounded(f"{name}: weight", term.weight)
            _check_bounded(f"{name}: unknown", term.unknown)
            if not 1 / MAX_WEIGHT <= term.scale <= MAX_WEIGHT:
                raise ValueError(f"{name}: scale: outside {1 / MAX_WEIGHT:g}…{MAX_WEIGHT:g}")
        for weight in (*self.bands, self.band_unknown):
            _check_bounded("advisor_band", weight)
        _check_bounded("intercept", self.intercept)

    def hazard(self, features: Features) -> NDArray[np.float64]:
        """
        Return the hazard of each spot pool.

        Parameters
        ----------
        features : Features, m pools
            All are used.

        Returns
        -------
        ndarray, shape (m,)
            nan if a feature is unknown and the parameters have no weight for that. [1/h]

        Raises
        ------
        ValueError
            If a band is above 4 or below -1, or a market feature is infinite.

        Notes
        -----
        With log-odds z of an interruption within T hours, the probability of none is
        1 - 1 / (1 + exp(-z)) = 1 / (1 + exp(z)); with a constant hazard λ it is exp(-λ·T). So
        λ = ln(1 + exp(z)) / T. It does not saturate: for large z it grows as z / T.
        """
        bands = np.array([*self.bands, _nan_for_none(self.band_unknown)])
        odds = self.intercept + bands[validated_bands(features)]
        for name, term in zip(MARKET_FEATURES, self.market, strict=True):
            odds = odds + _contribution(
                name, term, np.asarray(getattr(features, name), dtype=np.float64)
            )
        # ln(1 + exp(z)) without overflow, and without numpy's warning if z is unknown
        exponent = np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))
        return np.asarray(exponent / self.window_hours, dtype=np.float64)

    def describe(self) -> str:
        """Return one sentence for people that contains every parameter."""
        bands = ", ".join(f"{weight:.6g}" for weight in self.bands)
        terms = "; ".join(
            f"{name} {term.weight:.6g} · (value - {term.mean:.6g}) / {term.scale:.6g}, "
            f"{_unknown_text(term.unknown)}"
            for name, term in zip(MARKET_FEATURES, self.market, strict=True)
        )
        return (
            f"Fitted logistic: hazard = ln(1 + exp(z)) / {self.window_hours:.6g} h with "
            f"z = {self.intercept:.6g} + {bands} for bands 0 to 4, "
            f"{_unknown_text(self.band_unknown)}, plus {terms}."
        )

    def artifact(self) -> dict[str, Any]:
        """Return the artifact from which ``parse_model`` makes an equal model."""
        return {
            "kind": "logistic",
            "horizon_hours": HORIZON_HOURS,
            "features": ["advisor_band", *MARKET_FEATURES],
            "parameters": {
                "window_hours": self.window_hours,
                "intercept": self.intercept,
                "advisor_band": {"weights": list(self.bands), "unknown": self.band_unknown},
                **{
                    name: term._asdict()
                    for name, term in zip(MARKET_FEATURES, self.market, strict=True)
                },
            },
        }


def parse_logistic(artifact: Mapping[str, Any]) -> Logistic:
    """
    Return the model that an artifact of kind ``logistic`` describes.

    Parameters
    ----------
    artifact : mapping
        With ``features`` and ``parameters``.

    Returns
    -------
    Logistic

    Raises
    ------
    ValueError
        Naming the field, if features or parameters have other names or another count, or a number
        is missing, not finite or out of range.
    """
    check_feature_names(artifact, ("advisor_band", *MARKET_FEATURES))
    parameters = artifact["parameters"]
    check_keys(
        "parameters", parameters, ("window_hours", "intercept", "advisor_band", *MARKET_FEATURES)
    )
    band = parameters["advisor_band"]
    check_keys("advisor_band", band, ("weights", "unknown"))
    if not isinstance(band["weights"], list | tuple):
        raise ValueError("advisor_band: weights: not a list")  # noqa: TRY004
    return Logistic(
        window_hours=check_number("window_hours", parameters["window_hours"]),
        intercept=check_number("intercept", parameters["intercept"]),
        bands=tuple(check_number("advisor_band: weights", each) for each in band["weights"]),
        band_unknown=_check_number_or_none("advisor_band: unknown", band["unknown"]),
        market=tuple(_parse_term(name, parameters[name]) for name in MARKET_FEATURES),
    )


def _parse_term(name: str, term: Any) -> Term:
    check_keys(name, term, Term._fields)
    return Term(
        mean=check_number(f"{name}: mean", term["mean"]),
        scale=check_number(f"{name}: scale", term["scale"]),
        weight=check_number(f"{name}: weight", term["weight"]),
        unknown=_check_number_or_none(f"{name}: unknown", term["unknown"]),
    )


def _contribution(name: str, term: Term, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isinf(values).any():
        raise ValueError(f"{name}: infinite")
    known = term.weight * (values - term.mean) / term.scale
    return np.where(np.isnan(values), _nan_for_none(term.unknown), known)


def _check_number_or_none(name: str, value: Any) -> float | None:
    return None if value is None else check_number(name, value)


def _nan_for_none(weight: float | None) -> float:
    return np.nan if weight is None else weight


def _unknown_text(unknown: float | None) -> str:
    return "unknown where unknown" if unknown is None else f"{unknown:.6g} where unknown"


def _check_bounded(name: str, weight: float | None) -> None:
    if weight is not None and not abs(weight) <= MAX_WEIGHT:
        raise ValueError(f"{name}: outside ±{MAX_WEIGHT:g}")
