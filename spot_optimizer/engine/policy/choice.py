"""Stay, switch, drain or evacuate: from the ranking and the signal from AWS, as codes."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf, isnan
from typing import NamedTuple

import numpy as np

from spot_optimizer.engine.candidates import Candidates
from spot_optimizer.engine.hazard.base import hazard_from_probability
from spot_optimizer.engine.policy.ranking import Ranking, Risks

# A move has to save more than this share of the cost of staying. On recorded prices, the total
# cost with a floor of about 5 % was closer to that of the optimal moves than with 10 to 20 %.
SWITCH_FLOOR = 0.05
# After a rebalance recommendation, the machine stays only if moving costs more by this share.
DRAIN_MARGIN = 0.20
# Of 30 rebalance recommendations in one published sample, 9 were followed by an interruption.
REBALANCE_PRECISION = 0.30


class Cause(StrEnum):
    """Why an action was chosen."""

    LAST_RESORT = "last_resort"  # EVACUATE: no other candidate is accepted
    NOTICE = "notice"  # EVACUATE
    LEAVE = "leave"  # DRAIN
    MOVE_COSTS_MORE = "move_costs_more"  # STAY after a rebalance recommendation
    SAVES_ENOUGH = "saves_enough"  # SWITCH
    SAVES_TOO_LITTLE = "saves_too_little"  # STAY
    PRICE_UNKNOWN = "price_unknown"  # STAY
    NO_ALTERNATIVE = "no_alternative"  # STAY


class MoveThreshold(NamedTuple):
    """What the expected cost of a move is compared with."""

    factor: float  # times the cost of staying; inf: the machine cannot stay
    staying_risk: float  # [USD/h] cost of staying without its price
    staying: float  # [USD/h] cost of staying; nan: unknown, and no move is below the threshold

    @property
    def cost(self) -> float:
        """The expected cost that a move must stay below. [USD/h]"""
        return self.factor * self.staying


@dataclass(frozen=True, slots=True)
class Choice:
    """An action, its cause and the threshold it was measured against."""

    action: str  # "STAY", "SWITCH", "DRAIN" or "EVACUATE"
    cause: Cause
    best: int | None  # index of the best alternative, whether it was chosen or not
    target: int | None  # index of the candidate to move to; None on STAY
    threshold: MoveThreshold


def choose(
    candidates: Candidates, risks: Risks, ranking: Ranking, best: int | None, signal: str
) -> Choice:
    """
    Return the action.

    Parameters
    ----------
    candidates : Candidates, c candidates
    risks : Risks
    ranking : Ranking
    best : int or None
        Index of the accepted candidate with the lowest expected cost, other than the machine's
        own; None: there is none.
    signal : str
        ``"NONE"``, ``"REBALANCE"`` or ``"TERMINATION"``. Ignored for a machine on demand: both
        signals are about spot capacity.

    Returns
    -------
    Choice
        On ``"TERMINATION"``: EVACUATE to ``best`` or, without one, to the machine's own type on
        demand. On ``"REBALANCE"``: DRAIN, unless moving costs over ``DRAIN_MARGIN`` more than
        staying. Otherwise SWITCH if ``best`` costs more than ``SWITCH_FLOOR`` less than staying,
        else STAY.

    Notes
    -----
    A rebalance recommendation raises the hazard of staying to at least the one that interrupts
    with probability ``REBALANCE_PRECISION`` within an hour. If the risk of staying is unknown
    without a signal, the price alone is used as its cost: a lower bound, because a hazard is never
    negative.
    """
    is_spot = candidates.current < candidates.spot_count
    if is_spot and signal == "TERMINATION":
        return _evacuate(candidates, best)
    if is_spot and signal == "REBALANCE":
        return _drain(candidates, risks, ranking, best)
    return _switch(candidates, ranking, best)


def hazard_after_rebalance(hazard: float) -> float:
    """
    Return the hazard of staying after a rebalance recommendation.

    Parameters
    ----------
    hazard : float
        The model's hazard of the machine's own pool; nan: unknown. [1/h]

    Returns
    -------
    float
        At least the hazard that interrupts with ``REBALANCE_PRECISION`` within an hour. [1/h]
    """
    return float(np.fmax(hazard, hazard_from_probability(REBALANCE_PRECISION)))


def _evacuate(candidates: Candidates, best: int | None) -> Choice:
    threshold = MoveThreshold(factor=inf, staying_risk=inf, staying=inf)
    if best is None:
        last_resort = candidates.own_on_demand
        return Choice("EVACUATE", Cause.LAST_RESORT, None, last_resort, threshold)
    return Choice("EVACUATE", Cause.NOTICE, best, best, threshold)


def _drain(candidates: Candidates, risks: Risks, ranking: Ranking, best: int | None) -> Choice:
    hazard = hazard_after_rebalance(float(risks.hazard[candidates.current]))
    risk = hazard * ranking.interruption
    staying = float(candidates.price[candidates.current]) + risk
    # if the cost of staying is unknown, every move is below the threshold
    threshold = MoveThreshold(1 + DRAIN_MARGIN, risk, inf if isnan(staying) else staying)
    if best is None:
        return Choice("STAY", Cause.NO_ALTERNATIVE, None, None, threshold)
    if float(ranking.cost[best]) > threshold.cost:
        return Choice("STAY", Cause.MOVE_COSTS_MORE, best, None, threshold)
    return Choice("DRAIN", Cause.LEAVE, best, best, threshold)


def _switch(candidates: Candidates, ranking: Ranking, best: int | None) -> Choice:
    cost_here = float(ranking.cost[candidates.current])
    price = float(candidates.price[candidates.current])
    staying = price if isnan(cost_here) else cost_here
    threshold = MoveThreshold(1 - SWITCH_FLOOR, staying - price, staying)
    if best is None:
        return Choice("STAY", Cause.NO_ALTERNATIVE, None, None, threshold)
    if isnan(staying):
        return Choice("STAY", Cause.PRICE_UNKNOWN, best, None, threshold)
    if float(ranking.cost[best]) < threshold.cost:
        return Choice("SWITCH", Cause.SAVES_ENOUGH, best, best, threshold)
    return Choice("STAY", Cause.SAVES_TOO_LITTLE, best, None, threshold)
