"""A risk model whose parameters were fitted: a logistic of the Advisor's band and the market."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.features import BANDS, Features, known_bands
from spot_optimizer.engine.hazard.artifact_schema import check_features, exactly, number
from spot_optimizer.engine.hazard.base import HORIZON_HOURS

MARKET_FEATURES = (
    "price_position",
    "discount_depth",
    "family_stress_mean",
    "family_stress_max",
    "region_stress_mean",
)
LARGEST = 1000.0  # of a weight: far above what a fit gives, far below what overflows


class Term(NamedTuple):
    """What one market feature adds to the log-odds: weight · (value - mean) / scale."""

    mean: float
    scale: float  # above 0
    weight: float
    unknown: float | None  # added where the value is unknown; None: then the hazard is unknown


@dataclass(frozen=True, slots=True)
class Logistic:
    """
    The chance of an interruption within a window of hours, as a logistic of six features.

    What an unknown feature means is part of the parameters, never a default of this code.
    """

    window_hours: float  # for which the log-odds were fitted
    intercept: float
    bands: tuple[float, ...]  # added to the log-odds, by band
    band_unknown: float | None  # added where the band is unknown; None: the hazard is unknown
    market: tuple[Term, ...]  # in the order of MARKET_FEATURES

    def __post_init__(self) -> None:
        if not 1 <= self.window_hours < inf:
            raise ValueError(f"window_hours: {self.window_hours} is below 1 or not finite")
        if len(self.bands) != BANDS:
            raise ValueError(f"advisor_band: {len(self.bands)} weights, not {BANDS}")
        if len(self.market) != len(MARKET_FEATURES):
            raise ValueError(f"market: {len(self.market)} terms, not {len(MARKET_FEATURES)}")
        for name, term in zip(MARKET_FEATURES, self.market, strict=True):
            _bounded(f"{name}: mean", term.mean)
            _bounded(f"{name}: weight", term.weight)
            _bounded(f"{name}: unknown", term.unknown)
            if not 1 / LARGEST <= term.scale <= LARGEST:
                raise ValueError(f"{name}: scale: outside {1 / LARGEST:g}…{LARGEST:g}")
        for weight in (*self.bands, self.band_unknown):
            _bounded("advisor_band", weight)
        _bounded("intercept", self.intercept)

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
            nan where a feature is unknown for which the parameters name no weight. [1/h]

        Raises
        ------
        ValueError
            If a band is above 4 or below -1, or a market feature is infinite.

        Notes
        -----
        With log-odds z of an interruption within T hours, the chance to survive them is
        1 - 1 / (1 + exp(-z)) = 1 / (1 + exp(z)), and a constant hazard λ leaves exp(-λ·T) of them:
        λ = ln(1 + exp(z)) / T. It never saturates: for large z it grows as z / T.
        """
        bands = np.array([*self.bands, _or_nan(self.band_unknown)])
        odds = self.intercept + bands[known_bands(features)]
        for name, term in zip(MARKET_FEATURES, self.market, strict=True):
            odds = odds + _added(name, term, np.asarray(getattr(features, name), dtype=np.float64))
        # ln(1 + exp(z)), without overflow, and without numpy's warning where z is unknown
        survived = np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))
        return np.asarray(survived / self.window_hours, dtype=np.float64)

    def describe(self) -> str:
        """Return one sentence for a person, with every parameter in it."""
        bands = ", ".join(f"{weight:.6g}" for weight in self.bands)
        terms = "; ".join(
            f"{name} {term.weight:.6g} · (value - {term.mean:.6g}) / {term.scale:.6g}, "
            f"{_said(term.unknown)}"
            for name, term in zip(MARKET_FEATURES, self.market, strict=True)
        )
        return (
            f"Fitted logistic: hazard = ln(1 + exp(z)) / {self.window_hours:.6g} h with "
            f"z = {self.intercept:.6g} + {bands} for bands 0 to 4, "
            f"{_said(self.band_unknown)}, plus {terms}."
        )

    def artifact(self) -> dict[str, Any]:
        """Return what ``parse_model`` reads back as an equal model."""
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


def read_logistic(artifact: Mapping[str, Any]) -> Logistic:
    """
    Return the model an artifact of kind ``logistic`` describes.

    :raises ValueError: saying what is wrong: the names of features or parameters, how many there
        are, or a number that is none, not finite or out of range
    """
    check_features(artifact, ("advisor_band", *MARKET_FEATURES))
    parameters = artifact["parameters"]
    exactly(
        "parameters", parameters, ("window_hours", "intercept", "advisor_band", *MARKET_FEATURES)
    )
    band = parameters["advisor_band"]
    exactly("advisor_band", band, ("weights", "unknown"))
    if not isinstance(band["weights"], list | tuple):
        raise ValueError("advisor_band: weights: not a list")  # noqa: TRY004
    return Logistic(
        window_hours=number("window_hours", parameters["window_hours"]),
        intercept=number("intercept", parameters["intercept"]),
        bands=tuple(number("advisor_band: weights", each) for each in band["weights"]),
        band_unknown=_number_or_none("advisor_band: unknown", band["unknown"]),
        market=tuple(_term(name, parameters[name]) for name in MARKET_FEATURES),
    )


def _term(name: str, term: Any) -> Term:
    exactly(name, term, Term._fields)
    return Term(
        mean=number(f"{name}: mean", term["mean"]),
        scale=number(f"{name}: scale", term["scale"]),
        weight=number(f"{name}: weight", term["weight"]),
        unknown=_number_or_none(f"{name}: unknown", term["unknown"]),
    )


def _added(name: str, term: Term, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isinf(values).any():
        raise ValueError(f"{name}: infinite")
    known = term.weight * (values - term.mean) / term.scale
    return np.where(np.isnan(values), _or_nan(term.unknown), known)


def _number_or_none(name: str, value: Any) -> float | None:
    return None if value is None else number(name, value)


def _or_nan(weight: float | None) -> float:
    return np.nan if weight is None else weight


def _said(unknown: float | None) -> str:
    return "unknown where unknown" if unknown is None else f"{unknown:.6g} where unknown"


def _bounded(name: str, weight: float | None) -> None:
    if weight is not None and not abs(weight) <= LARGEST:
        raise ValueError(f"{name}: outside ±{LARGEST:g}")
