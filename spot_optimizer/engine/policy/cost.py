"""The formulas for the cost of interruptions, moves and pools."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.inputs import Costs

MINUTES = 60.0  # in an hour
LONGEST_HORIZON = 24.0  # [h]

Floats = NDArray[np.float64]


class CostTerms(NamedTuple):
    """The parts of an expected cost, each of shape (n,). [USD/h]"""

    price: Floats
    risk: Floats
    switching: Floats

    @property
    def total(self) -> Floats:
        """The expected cost: the sum of the parts. [USD/h]"""
        return self.price + self.risk + self.switching


def interruption_cost(costs: Costs, downtime_usd_per_hour: float) -> float:
    """
    Return the cost of one interruption without preparation.

    Parameters
    ----------
    costs : Costs
        ``boot_minutes``, ``restore_minutes`` and ``lost_work_minutes`` count.
    downtime_usd_per_hour : float
        Value V of an hour of downtime, or of lost work, to the owner. [USD/h]

    Returns
    -------
    float
        V · (boot + restore + lost work) / 60. [USD]

    Raises
    ------
    ValueError
        If a number is negative or not finite.

    Notes
    -----
    A new instance has to boot and to restore its state, which is downtime, and the work since the
    last saved state is done again. A lower bound: failed launch attempts cost nothing here.
    """
    minutes = sum(
        _amount(name, getattr(costs, name))
        for name in ("boot_minutes", "restore_minutes", "lost_work_minutes")
    )
    return _amount("downtime_usd_per_hour", downtime_usd_per_hour) * minutes / MINUTES


def switching_cost(costs: Costs, downtime_usd_per_hour: float, price_now: float) -> float:
    """
    Return the cost of one planned move.

    Parameters
    ----------
    costs : Costs
        ``double_run_minutes`` and ``cutover_downtime_minutes`` count.
    downtime_usd_per_hour : float
        Value V of an hour of downtime to the owner. [USD/h]
    price_now : float
        Current price, which is still paid while the new instance starts. [USD/h]

    Returns
    -------
    float
        price · double run / 60 + V · cut-over / 60. [USD]

    Raises
    ------
    ValueError
        If a number is negative or not finite.
    """
    double_run = _amount("double_run_minutes", costs.double_run_minutes)
    cutover = _amount("cutover_downtime_minutes", costs.cutover_downtime_minutes)
    paid = _amount("price_now", price_now) * double_run / MINUTES
    return paid + _amount("downtime_usd_per_hour", downtime_usd_per_hour) * cutover / MINUTES


def horizon_hours(hazard: ArrayLike) -> Floats:
    """
    Return for how many hours a move into each pool is expected to pay off, at most 24.

    Parameters
    ----------
    hazard : array_like
        Mean number of interruptions per hour. [1/h]

    Returns
    -------
    ndarray, shape of ``hazard``
        min(24 h, 1 / hazard). [h]

    Raises
    ------
    ValueError
        If a hazard is negative or not finite.

    Notes
    -----
    1 / hazard is the mean time to the first interruption. It is capped, because today's prices
    predict those of the next day, not of the next month.

    Examples
    --------
    >>> horizon_hours([0.0, 0.01, 0.5])
    array([24., 24.,  2.])
    """
    return 1 / np.maximum(_amounts("hazard", hazard), 1 / LONGEST_HORIZON)


def expected_cost(
    price: ArrayLike, hazard: ArrayLike, interruption: float, switching: ArrayLike
) -> CostTerms:
    """
    Return the expected cost of an hour in each pool, in its parts.

    Parameters
    ----------
    price : array_like, shape (n,)
        Price of each pool. [USD/h]
    hazard : array_like, shape (n,)
        Mean number of interruptions of each pool per hour. [1/h]
    interruption : float
        Cost of one interruption. [USD]
    switching : array_like, shape (n,)
        Cost of a move into each pool, 0 for the machine's own. [USD]

    Returns
    -------
    CostTerms
        price, hazard · interruption and switching / horizon; their sum is the expected cost,
        never below ``price``. [USD/h]

    Raises
    ------
    ValueError
        If the shapes differ, or a number is negative or not finite.

    Notes
    -----
    Over a horizon of H hours, a pool costs price · H, is interrupted hazard · H times in the mean
    [1]_, and is moved into once; divided by H, this is the formula. Assumes that no second
    interruption occurs during a restart.

    References
    ----------
    .. [1] S. M. Ross, *Introduction to Probability Models*, ch. 5 (the Poisson process).

    Examples
    --------
    >>> expected_cost([0.10, 0.08], [0.0, 0.5], 0.02, [0.0, 0.04]).total
    array([0.1 , 0.11])
    """
    prices, hazards = _amounts("price", price), _amounts("hazard", hazard)
    moves = _amounts("switching", switching)
    if not prices.shape == hazards.shape == moves.shape:
        raise ValueError(f"price {prices.shape}, hazard {hazards.shape}, switching {moves.shape}")
    risk = hazards * _amount("interruption", interruption)
    return CostTerms(prices, risk, moves / horizon_hours(hazards))


def yield_score(discount: ArrayLike, probability: ArrayLike) -> Floats:
    """
    Return the discount after risk, discount · (1 - P): displayed, not used for ranking.

    Parameters
    ----------
    discount : array_like, shape (n,)
        Share of the on-demand price that is saved, 0 to 1; nan: unknown.
    probability : array_like, shape (n,)
        P(interruption within one hour); nan: unknown.

    Returns
    -------
    ndarray, shape (n,)
        0 to 1, nan where an argument is unknown.

    Raises
    ------
    ValueError
        If the shapes differ, or a number is outside 0…1.
    """
    discounts: Floats = np.asarray(discount, dtype=np.float64)
    chances: Floats = np.asarray(probability, dtype=np.float64)
    if discounts.shape != chances.shape:
        raise ValueError(f"discount {discounts.shape} and probability {chances.shape} differ")
    for name, each in (("discount", discounts), ("probability", chances)):
        if ((each < 0) | (each > 1)).any():
            raise ValueError(f"{name}: outside 0…1")
    return discounts * (1 - chances)


def _amount(name: str, value: float) -> float:
    if not 0 <= value < np.inf:
        raise ValueError(f"{name}: {value} is negative or not finite")
    return float(value)


def _amounts(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name}: a number is negative or not finite")
    return array
