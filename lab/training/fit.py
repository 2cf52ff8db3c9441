"""A logistic regression of next month's interruptions, as parameters of the engine's model."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lab.training.examples import Examples, joined, weights_of
from spot_optimizer.engine.features import BANDS
from spot_optimizer.engine.hazard.logistic import MARKET_FEATURES, Logistic, Term

Floats = NDArray[np.float64]

# The share of instances interrupted in a month that stands for a band: the champion's own, so that
# the two models differ in what they weigh and not in how a band is read.
SHARES = np.array([0.025, 0.075, 0.125, 0.175, 0.30])
HOURS = 730.0  # of a month
# Inverse strength of the L2 penalty. Some ten thousand examples fix bands and discount and hardly
# feel it; the about 200 that have price histories do, and are to move the model only as they must.
PENALTY = 0.1
DIGITS = 4  # so that another machine's arithmetic gives the same bytes


def fit(groups: list[Examples], *, market: bool = True) -> Logistic:
    """
    Return the model that explains the groups best; without ``market``, by the bands alone.

    :raises ValueError: if a market feature is the same in every example

    Notes
    -----
    The label is the share y that AWS published: each example counts y times as interrupted and
    1 - y times as not. Each group (a source and the day of its labels) has a level of its own,
    which takes up what differs between months and regions; the model keeps their weighted mean.
    What an unknown value adds is learned only in groups where the feature is known for some pools:
    elsewhere it cannot be told from the level.
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
        raise ValueError(f"{name}: the same in every example, so nothing can be learned of it")
    mean = float(np.average(values[known], weights=weights[known]))
    spread = np.average((values[known] - mean) ** 2, weights=weights[known])
    return round(mean, DIGITS), round(float(np.sqrt(spread)), DIGITS)


def _columns(values: Floats, level: NDArray[np.intp], mean: float, scale: float) -> Floats:
    unknown = np.isnan(values)
    told = np.bincount(level, weights=~unknown)[level] > 0
    standard = np.where(unknown, 0.0, (values - mean) / scale)
    return np.column_stack([standard, unknown & told])


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
        band_unknown=None,  # no example is without a band: nothing was learned about it
        market=tuple(terms or [Term(0.0, 1.0, 0.0, 0.0)] * len(MARKET_FEATURES)),
    )
