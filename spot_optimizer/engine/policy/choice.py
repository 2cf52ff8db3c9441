"""Stay, switch, drain or evacuate: what follows from the ranking and from what AWS signals."""

from dataclasses import dataclass
from math import inf, isnan
from typing import NamedTuple

import numpy as np

from spot_optimizer.engine.candidates import Rows
from spot_optimizer.engine.hazard.base import hazard_of, probability
from spot_optimizer.engine.ranking import Ranking, Risks

# A move has to save this part of what staying costs. Real traces: a floor of about 5 % ends nearer
# to the optimum than 10 to 20 %.
SWITCH_FLOOR = 0.05
# After a rebalance recommendation the machine stays only if moving is dearer by this part.
DRAIN_MARGIN = 0.20
# Of 30 rebalance recommendations in one published sample, 9 came true: a prior until it is learned.
REBALANCE_PRECISION = 0.30


class Bar(NamedTuple):
    """What a move has to get under."""

    margin: float  # of what staying costs; inf: staying is out of the question
    staying_risk: float  # [USD/h] what staying costs beside its price
    staying: float  # [USD/h] nan: unknown, and nothing gets under it

    @property
    def height(self) -> float:
        """What a move may be expected to cost. [USD/h]"""
        return self.margin * self.staying


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision, and the bar it was measured by."""

    decision: str  # "STAY", "SWITCH", "DRAIN" or "EVACUATE"
    target: int | None  # row
    reason: str
    note: str  # of the signal stage
    bar: Bar


def choose(rows: Rows, risks: Risks, ranking: Ranking, best: int | None, signal: str) -> Choice:
    """
    Return the decision.

    ``best`` is the row to move to, if any: the cheapest expected of those kept, without the one
    the machine is in. An interruption notice leaves it or, if there is none, the machine's own
    type on demand. A rebalance recommendation raises the risk of staying. A machine that runs on
    demand is not meant by either.
    """
    if signal != "NONE" and rows.current >= rows.spots:
        note = f"{signal} concerns spot capacity; this machine runs on demand and is not meant."
        return _switch(rows, ranking, best, note)
    if signal == "TERMINATION":
        return _evacuate(rows, ranking, best)
    if signal == "REBALANCE":
        return _drain(rows, risks, ranking, best)
    return _switch(rows, ranking, best, "AWS signals nothing.")


def _evacuate(rows: Rows, ranking: Ranking, best: int | None) -> Choice:
    note = "Interruption notice: the machine has two minutes and must leave."
    bar = Bar(margin=inf, staying_risk=inf, staying=inf)
    if best is None:
        reason = (
            "AWS takes the machine back and nothing else is kept: "
            f"{rows.name(rows.own_on_demand)} as the last resort."
        )
        return Choice("EVACUATE", rows.own_on_demand, reason, f"{note} {reason}", bar)
    reason = (
        f"AWS takes the machine back: {rows.name(best)} is expected to cost the least, "
        f"{_usd(ranking.cost[best])}."
    )
    return Choice("EVACUATE", best, reason, note, bar)


def _drain(rows: Rows, risks: Risks, ranking: Ranking, best: int | None) -> Choice:
    hazard = float(np.fmax(risks.hazard[rows.current], hazard_of(REBALANCE_PRECISION)))
    risk = hazard * ranking.interruption
    staying = float(rows.price[rows.current]) + risk
    note = (
        "Rebalance recommendation: P(interruption within one hour) of staying counts as "
        f"{float(probability(hazard)):.4g} (at least {REBALANCE_PRECISION:g}, the share of such "
        f"recommendations that come true), so staying costs {_usd(staying)}; the machine stays "
        f"only if the best move costs over {DRAIN_MARGIN:.0%} more."
    )
    # an unknown price shows nothing in favor of staying
    bar = Bar(1 + DRAIN_MARGIN, risk, inf if isnan(staying) else staying)
    if best is None:
        reason = "AWS recommends to leave, but no other row is kept."
        return Choice("STAY", None, reason, note, bar)
    cost = float(ranking.cost[best])
    against = f"{rows.name(best)} is expected to cost {_usd(cost)} against {_usd(staying)} here"
    if cost > bar.height:
        reason = f"AWS recommends to leave, but moving is clearly dearer: {against}."
        return Choice("STAY", None, reason, note, bar)
    return Choice("DRAIN", best, f"AWS recommends to leave: {against}.", note, bar)


def _switch(rows: Rows, ranking: Ranking, best: int | None, note: str) -> Choice:
    cost_here, price = float(ranking.cost[rows.current]), float(rows.price[rows.current])
    # a hazard is never negative, so the bare price is the least that staying can cost
    staying = price if isnan(cost_here) else cost_here
    bar = Bar(1 - SWITCH_FLOOR, staying - price, staying)
    if best is None:
        reason = "No other row is kept: there is nothing to move to."
        return Choice("STAY", None, reason, note, bar)
    if isnan(staying):
        reason = "The price paid now is unknown, so nothing shows that a move would save money."
        return Choice("STAY", None, reason, note, bar)
    cost = float(ranking.cost[best])
    alone = " (the price alone: its risk is unknown)" if isnan(cost_here) else ""
    against = f"is expected to cost {_usd(cost)} against {_usd(staying)} here{alone}"
    if cost < bar.height:
        reason = f"{rows.name(best)} {against}: {1 - cost / staying:.1%} less."
        return Choice("SWITCH", best, reason, note, bar)
    reason = (
        f"The best alternative, {rows.name(best)}, {against}: "
        f"not the {SWITCH_FLOOR:.0%} less a move has to save."
    )
    return Choice("STAY", None, reason, note, bar)


def _usd(amount: float) -> str:
    return "an unknown amount" if isnan(amount) else f"{amount:.6f} USD/h"
