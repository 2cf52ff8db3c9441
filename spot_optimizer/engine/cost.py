"""What pools, interruptions and moves cost."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spot_optimizer.engine.inputs import Costs

MINUTES = 60.0  # in an hour
LONGEST_HORIZON = 24.0  # [h]

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """The parts of an expected cost, each with one value per row. [USD/h]"""

    price: Floats
    risk: Floats
    switching: Floats

    @property
    def total(self) -> Floats:
        """Their sum: the expected cost."""
        return self.price + self.risk + self.switching


def interruption_cost(costs: Costs, downtime_usd_per_hour: float) -> float:
    """
    Return what one unprepared interruption costs.

    Parameters
    ----------
    costs : Costs
        ``boot_minutes``, ``restore_minutes`` and ``lost_work_minutes`` count.
    downtime_usd_per_hour : float
        What an hour of downtime, or of lost work, is worth to the owner. [USD/h]

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
    last saved state is done again. A lower bound: nothing is charged for failed attempts.
    """
    minutes = sum(
        _amount(name, getattr(costs, name))
        for name in ("boot_minutes", "restore_minutes", "lost_work_minutes")
    )
    return _amount("downtime_usd_per_hour", downtime_usd_per_hour) * minutes / MINUTES


def switching_cost(costs: Costs, downtime_usd_per_hour: float, price_now: float) -> float:
    """
    Return what one planned move costs.

    Parameters
    ----------
    costs : Costs
        ``double_run_minutes`` and ``cutover_downtime_minutes`` count.
    downtime_usd_per_hour : float
        What an hour of downtime is worth to the owner. [USD/h]
    price_now : float
        Price of what the machine runs in, paid on while the new one starts. [USD/h]

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
    Return how long a move into each pool is expected to last, at most a day.

    Parameters
    ----------
    hazard : array_like
        Mean number of interruptions per hour. [1/h]

    Returns
    -------
    ndarray, shape of ``hazard``
        min(24 h, 1 / hazard): the mean life of a pool, but prices are not believed for longer
        than a day. [h]

    Raises
    ------
    ValueError
        If a hazard is negative or not finite.

    Examples
    --------
    >>> horizon_hours([0.0, 0.01, 0.5])
    array([24., 24.,  2.])
    """
    return 1 / np.maximum(_amounts("hazard", hazard), 1 / LONGEST_HORIZON)


def expected_cost(
    price: ArrayLike, hazard: ArrayLike, interruption: float, switching: ArrayLike
) -> Terms:
    """
    Return what an hour in each pool is expected to cost, in its parts.

    Parameters
    ----------
    price : array_like, shape (n,)
        Price of each pool. [USD/h]
    hazard : array_like, shape (n,)
        Mean number of interruptions of each pool per hour. [1/h]
    interruption : float
        What one interruption costs. [USD]
    switching : array_like, shape (n,)
        What a move into each pool costs, 0 for the one the machine is in. [USD]

    Returns
    -------
    Terms
        price, hazard · interruption and switching / horizon; their sum is the expected cost,
        never below ``price``. [USD/h]

    Raises
    ------
    ValueError
        If the shapes differ, or a number is negative or not finite.

    Notes
    -----
    Over a horizon of H hours, a pool costs price · H, is interrupted hazard · H times in the mean
    [1]_, and is moved into once. Divided by H: the formula. Assumes that no second interruption
    strikes during a restart.

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
    return Terms(prices, risk, moves / horizon_hours(hazards))


def yield_score(discount: ArrayLike, chance: ArrayLike) -> Floats:
    """
    Return the discount that is left after risk: discount · (1 - P). Shown, never ranked by.

    Parameters
    ----------
    discount : array_like, shape (n,)
        Part of the on-demand price that is saved, 0 to 1; nan: unknown.
    chance : array_like, shape (n,)
        P(interruption within one hour); nan: unknown.

    Returns
    -------
    ndarray, shape (n,)
        0 to 1, nan where a part is unknown.

    Raises
    ------
    ValueError
        If the shapes differ, or a number is outside 0…1.
    """
    discounts: Floats = np.asarray(discount, dtype=np.float64)
    chances: Floats = np.asarray(chance, dtype=np.float64)
    if discounts.shape != chances.shape:
        raise ValueError(f"discount {discounts.shape} and chance {chances.shape} differ")
    for name, each in (("discount", discounts), ("chance", chances)):
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
