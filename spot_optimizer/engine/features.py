"""The features of risk models: the state of each spot pool and of its family and region."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.candidates import Candidates

Column = NDArray[np.float64]
BANDS = 5  # of Spot Advisor, best to worst


class Features(NamedTuple):
    """One value for each of ``m`` spot pools; nan (band: -1): unknown."""

    advisor_band: NDArray[np.int8]
    price_position: Column
    discount_depth: Column
    family_stress_mean: Column
    family_stress_max: Column
    region_stress_mean: Column

    def without_family_stress(self) -> "Features":
        """Return the same features with the stress of the families unknown."""
        unknown = np.full_like(self.family_stress_mean, np.nan)
        return self._replace(family_stress_mean=unknown, family_stress_max=unknown)


def features_of(candidates: Candidates) -> Features:
    """
    Return the features of the spot pools among the candidates, in their order.

    Parameters
    ----------
    candidates : Candidates, m spot pools

    Returns
    -------
    Features
        Of m pools.

    Raises
    ------
    ValueError
        If a price is infinite or not above 0.
    """
    spot = slice(candidates.spot_count)
    _, families = np.unique([each.family for each in candidates.types], return_inverse=True)
    return compute_features(
        band=candidates.band[spot],
        price=candidates.price[spot],
        low_7d=candidates.low_7d,
        high_7d=candidates.high_7d,
        on_demand_price=candidates.on_demand_price[spot],
        family=families[candidates.type_index[spot]],
    )


def compute_features(
    *,
    band: NDArray[np.int8],
    price: ArrayLike,
    low_7d: ArrayLike,
    high_7d: ArrayLike,
    on_demand_price: ArrayLike,
    family: ArrayLike,
) -> Features:
    """
    Return the features of the spot pools of one region at one time.

    Parameters
    ----------
    band : array of int8, shape (m,)
        Spot Advisor's band, -1: not listed.
    price, low_7d, high_7d, on_demand_price : array_like, shape (m,)
        nan: unknown. [USD/h]
    family : array_like of int, shape (m,)
        Pools with the same number are of one family.

    Returns
    -------
    Features
        Of m pools.

    Raises
    ------
    ValueError
        If shapes differ, a price is infinite or not above 0, or a family is negative.

    Notes
    -----
    Decisions and training both compute features here, so that a model sees the same numbers.
    """
    position = price_position(price, low_7d, high_7d)
    mean, highest = stress_of_others(position, family)
    region, _ = stress_of_others(position, np.zeros(len(position), dtype=np.intp))
    return Features(
        advisor_band=band,
        price_position=position,
        discount_depth=discount_depth(price, on_demand_price),
        family_stress_mean=mean,
        family_stress_max=highest,
        region_stress_mean=region,
    )


def validated_bands(features: Features) -> NDArray[np.int8]:
    """
    Return the Advisor's bands.

    Parameters
    ----------
    features : Features, m pools

    Returns
    -------
    ndarray of int8, shape (m,)
        0…4; -1: not listed.

    Raises
    ------
    ValueError
        If a band is above 4 or below -1.
    """
    band = features.advisor_band
    if ((band < -1) | (band >= BANDS)).any():
        raise ValueError("advisor_band: outside -1…4")
    return band


def price_position(price: ArrayLike, low: ArrayLike, high: ArrayLike) -> Column:
    """
    Return the position of each price in its range of the last 7 days.

    Parameters
    ----------
    price, low, high : array_like, shape (m,)
        Price in force, lowest and highest of the 7 days before; nan: unknown. [USD/h]

    Returns
    -------
    ndarray, shape (m,)
        0 (lowest) to 1 (highest). nan if a price is unknown or the range is empty.

    Raises
    ------
    ValueError
        If shapes differ, or a price is infinite or not above 0.

    Notes
    -----
    The price in force is part of the range, so a new low is 0 and a new high is 1. In a range of
    width 0 every position is undefined: a constant price shows neither stress nor its absence.
    """
    prices, lows, highs = _columns(price=price, low=low, high=high)
    lows, highs = np.minimum(lows, prices), np.maximum(highs, prices)
    width = highs - lows
    position = np.full(prices.shape, np.nan)
    np.divide(prices - lows, width, out=position, where=width > 0)
    return position


def discount_depth(spot_price: ArrayLike, on_demand_price: ArrayLike) -> Column:
    """
    Return the share of the on-demand price that spot saves: 1 - spot / on demand.

    Parameters
    ----------
    spot_price, on_demand_price : array_like, shape (m,)
        Prices of the same type; nan: unknown. [USD/h]

    Returns
    -------
    ndarray, shape (m,)
        Below 1, negative if spot costs more; nan if a price is unknown.

    Raises
    ------
    ValueError
        If shapes differ, or a price is infinite or not above 0.
    """
    spot, on_demand = _columns(spot_price=spot_price, on_demand_price=on_demand_price)
    return 1 - spot / on_demand


def stress_of_others(position: ArrayLike, group: ArrayLike) -> tuple[Column, Column]:
    """
    Return the mean and the highest price position of the other pools in each pool's group.

    Parameters
    ----------
    position : array_like, shape (m,)
        Price positions, 0 to 1; nan: unknown, left out.
    group : array_like of int, shape (m,)
        Pools with the same number are in one group.

    Returns
    -------
    mean, highest : ndarray, shape (m,)
        nan if no other pool of the group has a known position.

    Raises
    ------
    ValueError
        If shapes differ, a position is outside 0…1, or a group is negative.

    Notes
    -----
    The pool itself is left out: its own position is a feature of its own, and would otherwise
    count as stress of its neighbors, too.
    """
    values, groups = np.asarray(position, dtype=np.float64), np.asarray(group, dtype=np.intp)
    if values.shape != groups.shape or values.ndim != 1:
        raise ValueError(f"position {values.shape} and group {groups.shape} differ")
    if ((values < 0) | (values > 1)).any():
        raise ValueError("position: outside 0…1")
    if (groups < 0).any():
        raise ValueError("group: negative")
    known = ~np.isnan(values)
    own = np.where(known, values, 0.0)
    others = np.bincount(groups, weights=known)[groups] - known if len(groups) else own
    total = np.bincount(groups, weights=own)[groups] - own if len(groups) else own
    mean = np.divide(total, others, out=np.full(values.shape, np.nan), where=others > 0)
    return np.clip(mean, 0, 1), _highest_of_others(values, groups)


def _highest_of_others(values: Column, groups: NDArray[np.intp]) -> Column:
    ranked = np.where(np.isnan(values), -1.0, values)
    order = np.lexsort((ranked, groups))
    last = np.append(np.diff(groups[order]) != 0, True) if len(order) else np.empty(0, dtype=bool)
    ends = np.flatnonzero(last)
    starts = np.append(0, ends[:-1] + 1) if len(ends) else ends
    second = np.where(ends > starts, ranked[order][np.maximum(ends - 1, 0)], -1.0)
    group = np.cumsum(last) - last  # of each sorted pool
    highest = np.empty(values.shape)
    highest[order] = ranked[order][ends][group]
    highest[order[ends]] = second
    return np.where(highest < 0, np.nan, highest)


def _columns(**columns: ArrayLike) -> list[Column]:
    arrays = {name: np.asarray(each, dtype=np.float64) for name, each in columns.items()}
    if len({each.shape for each in arrays.values()}) > 1:
        raise ValueError(f"{', '.join(arrays)}: shapes differ")
    for name, each in arrays.items():
        if np.isinf(each).any() or (each <= 0).any():
            raise ValueError(f"{name}: a price is infinite or not above 0")
    return list(arrays.values())
