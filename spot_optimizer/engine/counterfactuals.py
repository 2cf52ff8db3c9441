"""The smallest change that would have made a candidate the choice, in numbers."""

from functools import cache, partial
from math import inf, isinf, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.rejections import ACCEPTED

GATE_DIGITS = 1e4
PRICE_DIGITS = 1e6


class RelaxedFilters(NamedTuple):
    """The settings that have to change before a candidate is accepted."""

    smaller: bool = False  # allow_smaller on
    advisor: bool = False  # advisor_filter off
    oversized: bool = False  # enable_right_sizing off
    gate: float | None = None  # the safety_gate that is needed; None: the present one


class Change(NamedTuple):
    """All that has to change before a candidate is the choice."""

    relaxed: RelaxedFilters
    price: float | None  # [USD/h] to fall below, 0 or less: impossible; None: no change is needed
    other_cost: float  # [USD/h] expected cost without the price


def smallest_changes(decision: Decision, indices: NDArray[np.intp]) -> list[Change | None]:
    """
    Return for each of these candidates what would have made it the choice, all else equal.

    Parameters
    ----------
    decision : Decision, c candidates
    indices : ndarray of int, shape (k,)
        Candidates, 0…c - 1.

    Returns
    -------
    list of Change or None, length k
        None for the choice itself, and where neither a setting nor a price changes anything.

    Notes
    -----
    Settings first, then the price if that is needed too. A changed setting may accept other
    candidates as well: the candidate has to cost less than these. Its cost is price / copies +
    other terms, so with the limit L its price has to fall below (L - other terms) · copies.
    """
    ranking = decision.ranking
    relaxed = _relaxed_filters(decision, indices)
    limits = np.array(_cost_limits(decision, indices.tolist(), relaxed))
    other_cost = (ranking.terms.risk + ranking.terms.switching)[indices]
    prices = _round_down((limits - other_cost) * ranking.copies[indices])
    # By columns: to read numbers from arrays one by one takes longer than all the rest.
    numbers = (ranking.cost[indices], limits, other_cost, prices)
    columns = (relaxed, *(column.tolist() for column in numbers))
    changes = [_change(*row) for row in zip(*columns, strict=True)]
    own: dict[int, Change | None] = {decision.chosen: None}
    if decision.target is not None:
        own[decision.current] = _change_to_stay(decision)
    return [own.get(i, change) for i, change in zip(indices.tolist(), changes, strict=True)]


def _change(
    relaxed: RelaxedFilters, cost: float, limit: float, other_cost: float, price: float
) -> Change | None:
    if isnan(limit):  # blocked by hardware facts, or the cost of staying is unknown
        return None
    if cost >= limit:
        return Change(relaxed, price, other_cost)
    return Change(relaxed, None, other_cost) if any(relaxed) else None


def _relaxed_filters(decision: Decision, indices: NDArray[np.intp]) -> list[RelaxedFilters]:
    """Return the settings to change for each candidate, if hardware facts do not block it."""
    filters, inputs = decision.filters, decision.inputs
    off = np.zeros(len(indices), dtype=bool)
    advisor_on, size_on = inputs.preferences.advisor_filter, inputs.stages.right_sizing_on
    advisor = filters.advisor[indices] != ACCEPTED if advisor_on else off
    oversized = filters.right_sizing[indices] != ACCEPTED if size_on else off
    probability = decision.risks.probability[indices]
    gates = np.minimum(1.0, np.ceil(probability * GATE_DIGITS) / GATE_DIGITS).astype(object)
    gates[~(probability > inputs.preferences.safety_gate)] = None
    columns = (filters.only_too_small[indices], advisor, oversized, gates)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [RelaxedFilters(*row) for row in rows]


def _cost_limits(
    decision: Decision, indices: list[int], relaxed: list[RelaxedFilters]
) -> list[float]:
    """Return what each expected cost has to be below; nan: no cost is low enough. [USD/h]"""
    filters, cost = decision.filters, decision.ranking.cost
    fits = (filters.hardware == ACCEPTED) | filters.only_too_small
    possible = (fits & (filters.input == ACCEPTED) & ~np.isnan(cost)).tolist()
    # Without a setting to change, a candidate was ranked, and the choice was better.
    threshold = decision.choice.threshold.cost
    ranked = threshold if decision.target is None else float(cost[decision.target])
    rivals = cache(partial(_rivals, decision))
    return [
        nan
        if not possible[i]
        else _cost_limit(decision, i, rivals(change))
        if any(change)
        else ranked
        for i, change in zip(indices, relaxed, strict=True)
    ]


def _cost_limit(decision: Decision, index: int, rivals: list[int]) -> float:
    """Return the limit of a candidate that is accepted together with others."""
    threshold = decision.choice.threshold.cost
    rival = next((other for other in rivals if other != index), None)
    cheapest = inf if rival is None else float(decision.ranking.cost[rival])
    return threshold if isnan(threshold) else min(cheapest, threshold)


def _rivals(decision: Decision, relaxed: RelaxedFilters) -> list[int]:
    """Return the two cheapest candidates accepted under changed settings, the current one apart."""
    filters, inputs = decision.filters, decision.inputs
    fits = filters.hardware == ACCEPTED
    accepted: NDArray[np.bool_] = (fits | filters.only_too_small) if relaxed.smaller else fits
    accepted &= (filters.input == ACCEPTED) & ~np.isnan(decision.ranking.cost)
    if inputs.preferences.advisor_filter and not relaxed.advisor:
        accepted &= filters.advisor == ACCEPTED
    if inputs.stages.right_sizing_on and not relaxed.oversized:
        accepted &= filters.right_sizing == ACCEPTED
    gate = inputs.preferences.safety_gate if relaxed.gate is None else relaxed.gate
    accepted &= decision.risks.probability <= gate
    accepted[decision.current] = False
    indices = np.flatnonzero(accepted)
    cheapest: list[int] = indices[np.argsort(decision.ranking.cost[indices])[:2]].tolist()
    return cheapest


def _change_to_stay(decision: Decision) -> Change | None:
    price = _price_to_stay(decision)
    if isnan(price):
        return None
    return Change(RelaxedFilters(), float(_round_down(np.array(price))), nan)


def _price_to_stay(decision: Decision) -> float:
    """
    Return below which current price the machine would have stayed; nan: no price changes it.

    Staying costs p + r. Candidate j costs b + (d·p + c) / H, because the current price p is paid
    on for the d hours of running double. The machine stays if b + (d·p + c) / H >= m·(p + r) for
    each j, that is p <= (b + c / H - m·r) / (m - d / H).
    """
    ranking, candidates = decision.ranking, decision.candidates
    threshold = decision.choice.threshold
    if isinf(threshold.cost):  # an interruption notice, or the current price is unknown
        return nan
    price = float(candidates.price[candidates.current])
    others = decision.order[decision.order != candidates.current]
    horizon = ranking.horizon[others]
    base = ranking.terms.price[others] + ranking.terms.risk[others]
    cutover = ranking.switching - price * ranking.double_run
    slope = threshold.factor - ranking.double_run / horizon
    if (slope <= 0).any():
        return nan
    staying_risk = threshold.factor * threshold.staying_risk
    return float(np.min((base + cutover / horizon - staying_risk) / slope))


def _round_down(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    down: NDArray[np.float64] = np.floor(prices * PRICE_DIGITS) / PRICE_DIGITS
    return down
