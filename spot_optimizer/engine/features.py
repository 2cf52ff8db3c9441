"""What a risk model may look at: where each spot pool and its neighbors stand."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.candidates import Rows

Column = NDArray[np.float64]
BANDS = 5  # of Spot Advisor, best to worst


class Features(NamedTuple):
    """One value for each of ``m`` spot pools; nan (band: -1) where a value is unknown."""

    advisor_band: NDArray[np.int8]
    price_position: Column
    discount_depth: Column
    family_stress_mean: Column
    family_stress_max: Column
    region_stress_mean: Column

    def without_family_stress(self) -> "Features":
        """Return the same pools with the stress of their families unknown."""
        unknown = np.full_like(self.family_stress_mean, np.nan)
        return self._replace(family_stress_mean=unknown, family_stress_max=unknown)


def features_of(rows: Rows) -> Features:
    """Return the features of the spot pools among ``rows``, in their order."""
    spots = slice(rows.spots)
    _, families = np.unique([each.family for each in rows.types], return_inverse=True)
    return features_from(
        band=rows.band[spots],
        price=rows.price[spots],
        low_7d=rows.low_7d,
        high_7d=rows.high_7d,
        on_demand_price=rows.on_demand_price[spots],
        family=families[rows.type_index[spots]],
    )


def features_from(
    *,
    band: NDArray[np.int8],
    price: ArrayLike,
    low_7d: ArrayLike,
    high_7d: ArrayLike,
    on_demand_price: ArrayLike,
    family: ArrayLike,
) -> Features:
    """
    Return the features of the spot pools of one region at one moment: a decision's and a fit's.

    Parameters
    ----------
    band : array of int8, shape (m,)
        Spot Advisor's band, -1: not listed.
    price, low_7d, high_7d, on_demand_price : array_like, shape (m,)
        nan: unknown. [USD/h]
    family : array_like of int, shape (m,)
        Pools with the same number are of one family.

    Raises
    ------
    ValueError
        If shapes differ, a price is infinite or not above 0, or a family is negative.
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


def known_bands(features: Features) -> NDArray[np.int8]:
    """
    Return the Advisor's bands; -1: not listed.

    :raises ValueError: if one is above 4 or below -1
    """
    band = features.advisor_band
    if ((band < -1) | (band >= BANDS)).any():
        raise ValueError("advisor_band: outside -1…4")
    return band


def price_position(price: ArrayLike, low: ArrayLike, high: ArrayLike) -> Column:
    """
    Return where each price stands in the range of its last 7 days.

    Parameters
    ----------
    price, low, high : array_like, shape (m,)
        Price in force, lowest and highest of the 7 days before; nan: unknown. [USD/h]

    Returns
    -------
    ndarray, shape (m,)
        0 (lowest) to 1 (highest). nan where a price is unknown or nothing has moved.

    Raises
    ------
    ValueError
        If shapes differ, or a price is infinite or not above 0.

    Notes
    -----
    The price in force belongs to its own range, so a new low is 0 and a new high is 1. A flat
    range has no places: it is evidence of neither stress nor calm, and is left unknown.
    """
    prices, lows, highs = _columns(price=price, low=low, high=high)
    lows, highs = np.minimum(lows, prices), np.maximum(highs, prices)
    width = highs - lows
    position = np.full(prices.shape, np.nan)
    np.divide(prices - lows, width, out=position, where=width > 0)
    return position


def discount_depth(spot_price: ArrayLike, on_demand_price: ArrayLike) -> Column:
    """
    Return the part of the on-demand price that spot saves.

    Parameters
    ----------
    spot_price, on_demand_price : array_like, shape (m,)
        Prices of the same type; nan: unknown. [USD/h]

    Returns
    -------
    ndarray, shape (m,)
        Below 1, negative where spot is dearer; nan where a price is unknown.

    Raises
    ------
    ValueError
        If shapes differ, or a price is infinite or not above 0.
    """
    spot, on_demand = _columns(spot_price=spot_price, on_demand_price=on_demand_price)
    return 1 - spot / on_demand


def stress_of_others(position: ArrayLike, group: ArrayLike) -> tuple[Column, Column]:
    """
    Return the mean and the highest price position of each pool's group, itself left out.

    Parameters
    ----------
    position : array_like, shape (m,)
        Price positions, 0 to 1; nan: unknown, not counted.
    group : array_like of int, shape (m,)
        Pools with the same number belong together.

    Returns
    -------
    mean, highest : ndarray, shape (m,)
        nan where no other pool of the group has a known position.

    Raises
    ------
    ValueError
        If shapes differ, a position is outside 0…1, or a group is negative.

    Notes
    -----
    Left out, because a pool's own rise is its own feature: counted twice, it would pass for a
    neighbor's distress.
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
