"""Sentences about a choice: its reason, and what the signal means for it."""

from math import isnan

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.hazard.base import probability
from spot_optimizer.engine.policy.choice import (
    DRAIN_MARGIN,
    REBALANCE_PRECISION,
    SWITCH_FLOOR,
    Cause,
    hazard_after_rebalance,
)


def reason_of(decision: Decision) -> str:
    """
    Return why the action was chosen.

    Parameters
    ----------
    decision : Decision, c candidates

    Returns
    -------
    str
        One sentence with the numbers in force. [USD/h]
    """
    choice, candidates = decision.choice, decision.candidates
    if choice.cause is Cause.LAST_RESORT:
        return (
            "AWS takes the machine back and nothing else is kept: "
            f"{candidates.label(candidates.own_on_demand)} as the last resort."
        )
    if choice.cause is Cause.PRICE_UNKNOWN:
        return "The price paid now is unknown, so nothing shows that a move would save money."
    if choice.best is None:
        if _rebalances(decision):
            return "AWS recommends to leave, but no other row is kept."
        return "No other row is kept: there is nothing to move to."
    return _comparison(decision, choice.best)


def signal_note(decision: Decision) -> str:
    """
    Return the note of the signal stage.

    Parameters
    ----------
    decision : Decision, c candidates

    Returns
    -------
    str
        What AWS signals, and what follows for the machine.
    """
    candidates, signal = decision.candidates, decision.inputs.signal
    if signal == "NONE":
        return "AWS signals nothing."
    if candidates.current >= candidates.spot_count:
        return f"{signal} concerns spot capacity; this machine runs on demand and is not meant."
    if signal == "REBALANCE":
        return _rebalance_note(decision)
    note = "Interruption notice: the machine has two minutes and must leave."
    if decision.choice.cause is Cause.LAST_RESORT:
        return f"{note} {reason_of(decision)}"
    return note


def _rebalances(decision: Decision) -> bool:
    candidates = decision.candidates
    return decision.inputs.signal == "REBALANCE" and candidates.current < candidates.spot_count


def _comparison(decision: Decision, best: int) -> str:
    cost, staying = float(decision.ranking.cost[best]), _staying(decision)
    name = decision.candidates.label(best)
    match decision.choice.cause:
        case Cause.NOTICE:
            return (
                f"AWS takes the machine back: {name} is expected to cost the least, {_usd(cost)}."
            )
        case Cause.LEAVE:
            return f"AWS recommends to leave: {name} {_against(cost, staying)}."
        case Cause.MOVE_COSTS_MORE:
            return (
                "AWS recommends to leave, but moving is clearly dearer: "
                f"{name} {_against(cost, staying)}."
            )
    against = _against(cost, staying)
    if isnan(decision.ranking.cost[decision.current]):
        against += " (the price alone: its risk is unknown)"
    if decision.choice.cause is Cause.SAVES_ENOUGH:
        return f"{name} {against}: {1 - cost / staying:.1%} less."
    return (
        f"The best alternative, {name}, {against}: "
        f"not the {SWITCH_FLOOR:.0%} less a move has to save."
    )


def _staying(decision: Decision) -> float:
    """Return the cost of staying; nan: unknown. [USD/h]"""
    if _rebalances(decision):
        price = float(decision.candidates.price[decision.current])
        return price + decision.choice.threshold.staying_risk
    return decision.choice.threshold.staying


def _against(cost: float, staying: float) -> str:
    return f"is expected to cost {_usd(cost)} against {_usd(staying)} here"


def _rebalance_note(decision: Decision) -> str:
    hazard = hazard_after_rebalance(float(decision.risks.hazard[decision.current]))
    return (
        "Rebalance recommendation: P(interruption within one hour) of staying counts as "
        f"{float(probability(hazard)):.4g} (at least {REBALANCE_PRECISION:g}, the share of such "
        f"recommendations that come true), so staying costs {_usd(_staying(decision))}; the "
        f"machine stays only if the best move costs over {DRAIN_MARGIN:.0%} more."
    )


def _usd(amount: float) -> str:
    return "an unknown amount" if isnan(amount) else f"{amount:.6f} USD/h"
