"""Fits the market logistic: a regression on the interruptions of the month after."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lab.training.examples import Examples, joined, weights_of
from spot_optimizer.engine.features import BANDS
from spot_optimizer.engine.hazard.logistic import MARKET_FEATURES, Logistic, Term

Floats = NDArray[np.float64]

# The share of instances interrupted in a month for each Spot Advisor band, 0 to 4: the champion's
# values, so that the models differ in their weights and not in how they interpret a band.
SHARES = np.array([0.025, 0.075, 0.125, 0.175, 0.30])
HOURS = 730.0  # per month
# Inverse strength of the L2 penalty (scikit-learn's C). About ten thousand examples determine bands
# and discount, nearly unaffected by it; it shrinks the weights of the price history, which only
# about 200 examples have.
PENALTY = 0.1
DIGITS = 4  # so that another machine's arithmetic gives the same bytes


def fit(groups: list[Examples], *, market: bool = True) -> Logistic:
    """
    Fit a model to groups of examples; without ``market``, on the bands alone.

    :raises ValueError: if a market feature is the same in every example

    Notes
    -----
    The label is the share y that AWS published: each example counts y times as interrupted and
    1 - y times as not. Each group (a source and the day of its labels) has its own level
    (an intercept), which absorbs differences between months and regions; the model has their
    weighted mean. The effect of an unknown value is learned only in groups where the feature is
    known for some pools: elsewhere it cannot be separated from the level.
    """
    features = joined([each.features for each in groups])
    group = np.repeat(np.arange(len(groups)), [len(each.offers) for each in groups])
    level = _levels(groups)[group]
    weights = weights_of(groups)
    columns = [(features.advisor_band[:, None] == np.arange(BANDS)).astype(np.float64)]
    scaling = []
    for name in MARKET_FEATURES if market else ():
        values = getattr(features, name)
        scaling.append(_scaling(name, values, weights))
        columns.append(_columns(values, level, *scaling[-1]))
    levels = (level[:, None] == np.arange(level.max() + 1)).astype(np.float64)
    share = SHARES[np.concatenate([each.band_after for each in groups])]
    fitted, intercept = _regress(np.hstack([*columns, levels]), share, weights)
    intercept += float(fitted[-levels.shape[1] :] @ np.average(levels, axis=0, weights=weights))
    pairs = fitted[BANDS : BANDS + 2 * len(scaling)].reshape(-1, 2)
    return _model(intercept, fitted[:BANDS], scaling, pairs)


def _levels(groups: list[Examples]) -> NDArray[np.intp]:
    names = [f"{each.source} {each.label_day}" for each in groups]
    return np.unique(names, return_inverse=True)[1]


def _scaling(name: str, values: Floats, weights: Floats) -> tuple[float, float]:
    known = ~np.isnan(values)
    if len(np.unique(values[known])) < 2:
        raise ValueError(f"{name}: the same in every example, so it cannot be fitted")
    mean = float(np.average(values[known], weights=weights[known]))
    spread = np.average((values[known] - mean) ** 2, weights=weights[known])
    return round(mean, DIGITS), round(float(np.sqrt(spread)), DIGITS)


def _columns(values: Floats, level: NDArray[np.intp], mean: float, scale: float) -> Floats:
    unknown = np.isnan(values)
    is_known_for_some = np.bincount(level, weights=~unknown)[level] > 0
    standard = np.where(unknown, 0.0, (values - mean) / scale)
    return np.column_stack([standard, unknown & is_known_for_some])


def _regress(columns: Floats, share: Floats, weights: Floats) -> tuple[Floats, float]:
    count = len(share)
    fitted = LogisticRegression(C=PENALTY, tol=1e-10, max_iter=5000).fit(
        np.vstack([columns, columns]),
        np.repeat([1, 0], count),
        sample_weight=np.concatenate([weights * share, weights * (1 - share)]),
    )
    return fitted.coef_[0], float(fitted.intercept_[0])


def _model(
    intercept: float, bands: Floats, scaling: list[tuple[float, float]], pairs: Floats
) -> Logistic:
    terms = [
        Term(mean, scale, round(float(weight), DIGITS), round(float(unknown), DIGITS))
        for (mean, scale), (weight, unknown) in zip(scaling, pairs, strict=True)
    ]
    return Logistic(
        window_hours=HOURS,
        intercept=round(intercept, DIGITS),
        bands=tuple(round(float(each), DIGITS) for each in bands),
        band_unknown=None,  # every example has a band
        market=tuple(terms or [Term(0.0, 1.0, 0.0, 0.0)] * len(MARKET_FEATURES)),
    )
