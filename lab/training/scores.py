"""Scores of a model's hazards against the interruptions that were recorded afterwards."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from lab.training.examples import Examples, weights_of
from lab.training.fit import HOURS, SHARES
from lab.training.traces import Hours
from spot_optimizer.engine.features import BANDS
from spot_optimizer.engine.hazard.base import RiskModel, probability

Floats = NDArray[np.float64]
BINS = 10


class Scores(NamedTuple):
    """
    Ranking and calibration of a model against the Spot Advisor's next band.

    ``auc`` and ``pr_auc`` rank pools by whether they are in the worst band (over 20 % interrupted)
    in the month after; ``auc_within_bands`` ranks only pools with the same band before. The others
    compare the probability of an interruption within a month with the share of the band after.
    """

    auc: float
    pr_auc: float
    auc_within_bands: float
    brier_skill: float  # relative to forecasting the mean share of the training; 0: no better
    brier_skill_ceiling: float  # of a forecast of the true shares
    calibration_error: float  # expected, over ten bins of equal weight
    mean_forecast: float
    mean_share: float


class HourScores(NamedTuple):
    """
    Ranking and calibration of a model for losses within the next hour, in recorded traces.

    ``brier_skill`` is relative to forecasting the mean rate of the traces.
    """

    auc: float
    pr_auc: float
    auc_within_traces: float  # mean over the traces: ranks the hours of one pool
    brier_skill: float
    calibration_error: float
    mean_forecast: float
    observed: float


def score(model: RiskModel, held_back: Examples, reference: float) -> Scores:
    """Return the scores of a model; ``reference`` is the mean share of the training examples."""
    weights = weights_of([held_back])
    hazard = model.hazard(held_back.features)
    worst = held_back.band_after == BANDS - 1
    forecast, share = -np.expm1(-hazard * HOURS), SHARES[held_back.band_after]
    scores = Scores(
        auc=roc_auc_score(worst, hazard, sample_weight=weights),
        pr_auc=average_precision_score(worst, hazard, sample_weight=weights),
        auc_within_bands=_within(held_back.features.advisor_band, worst, hazard, weights),
        brier_skill=_skill(forecast, share, weights, reference),
        brier_skill_ceiling=_skill(share, share, weights, reference),
        calibration_error=calibration_error(forecast, share, weights),
        mean_forecast=np.average(forecast, weights=weights),
        mean_share=np.average(share, weights=weights),
    )
    return Scores(*(round(float(each), 4) for each in scores))


def score_hours(model: RiskModel, hours: Hours) -> HourScores:
    """Return the scores of a model on recorded losses."""
    chance = probability(model.hazard(hours.features))
    equal = np.ones(len(chance))
    areas = [
        roc_auc_score(hours.lost[here], chance[here])
        for here in (hours.trace == each for each in np.unique(hours.trace))
        if 0 < hours.lost[here].sum() < here.sum()
    ]
    rate = float(hours.lost.mean())
    scores = HourScores(
        auc=roc_auc_score(hours.lost, chance),
        pr_auc=average_precision_score(hours.lost, chance),
        auc_within_traces=float(np.mean(areas)),
        brier_skill=1 - float(np.mean((chance - hours.lost) ** 2)) / (rate * (1 - rate)),
        calibration_error=calibration_error(chance, hours.lost.astype(np.float64), equal),
        mean_forecast=float(chance.mean()),
        observed=rate,
    )
    return HourScores(*(round(float(each), 4) for each in scores))


def mean_share(groups: list[Examples]) -> float:
    """Return the weighted mean share of instances that were interrupted in a month."""
    share = SHARES[np.concatenate([each.band_after for each in groups])]
    return float(np.average(share, weights=weights_of(groups)))


def calibration_error(forecast: Floats, share: Floats, weights: Floats) -> float:
    """
    Return the expected calibration error over ``BINS`` bins of about equal weight.

    All arguments have shape (n,).
    """
    order = np.argsort(forecast, kind="stable")
    cumulative = np.cumsum(weights[order]) / weights.sum()
    edges = forecast[order][np.searchsorted(cumulative, np.arange(1, BINS) / BINS)]
    group = np.searchsorted(edges, forecast)  # equal forecasts stay together
    gaps = np.bincount(group, weights=weights * (forecast - share))
    return float(np.abs(gaps).sum() / weights.sum())


def _skill(forecast: Floats, share: Floats, weights: Floats, reference: float) -> float:
    # Brier score of single instances: the squared error of the share plus its variance.
    chance = share * (1 - share)
    own = np.average((forecast - share) ** 2 + chance, weights=weights)
    other = np.average((reference - share) ** 2 + chance, weights=weights)
    return float(1 - own / other)


def _within(
    bands: NDArray[np.int8], worst: NDArray[np.bool_], hazard: Floats, weights: Floats
) -> float:
    areas, sizes = [], []
    for band in range(BANDS):
        here = bands == band
        if 0 < worst[here].sum() < here.sum():
            areas.append(roc_auc_score(worst[here], hazard[here], sample_weight=weights[here]))
            sizes.append(weights[here].sum())
    return float(np.average(areas, weights=sizes)) if areas else float("nan")
