"""The smallest change that would have made a row the choice."""

from __future__ import annotations

from functools import cache, partial
from math import inf, isinf, isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.policy.texts import KEPT

if TYPE_CHECKING:
    from spot_optimizer.engine.decision import Decision

GATE_DIGITS = 1e4
PRICE_DIGITS = 1e6


class Lifts(NamedTuple):
    """Settings that have to give way before a row may be ranked."""

    smaller: bool
    advisor: bool
    oversized: bool
    gate: float | None

    def conditions(self) -> list[str]:
        """Return them in words."""
        words = [
            (self.smaller, "smaller machines were allowed (allow_smaller)"),
            (self.advisor, "the Advisor filter were off (advisor_filter)"),
            (self.oversized, "right-sizing were off (enable_right_sizing)"),
            (self.gate is not None, f"the safety gate were {self.gate} or more (safety_gate)"),
        ]
        return [text for applies, text in words if applies]


def would_win_if(outcome: Decision, which: NDArray[np.intp]) -> list[str | None]:
    """
    Return a sentence for each of these rows, all else equal: the settings first, then the price
    if that is needed too.

    None for the choice itself, and where neither a setting nor a price changes anything. Whatever
    else a changed setting lets in is competed with as well.
    """
    ranking = outcome.ranking
    rows, lifts = which.tolist(), _lifts(outcome, which)
    bars = np.array(_bars(outcome, rows, lifts))
    beside = (ranking.terms.risk + ranking.terms.switching)[which]
    prices = _round_down((bars - beside) * ranking.copies[which])
    # By columns: numbers taken out of arrays one by one cost more than the sentences.
    numbers = (ranking.cost[which], bars, beside, prices)
    columns = (lifts, *(column.tolist() for column in numbers))
    sentences = [_sentence(*row) for row in zip(*columns, strict=True)]
    own: dict[int, str | None] = {outcome.chosen: None}
    if outcome.target is not None:
        own[outcome.rows.current] = _if_it_were_cheaper(_price_to_stay(outcome))
    return [own.get(row, said) for row, said in zip(rows, sentences, strict=True)]


def _sentence(lifts: Lifts, cost: float, bar: float, beside: float, price: float) -> str | None:
    if isnan(bar):  # its facts are in the way, or what staying costs is unknown
        return None
    conditions = lifts.conditions() if any(lifts) else []
    if cost >= bar:
        if price <= 0:
            return f"No price would do: its risk and the move alone cost {beside:.6f} USD/h."
        conditions.append(f"its price fell below {price:.6f} USD/h")
    return f"Would be the choice if {' and '.join(conditions)}." if conditions else None


def _lifts(outcome: Decision, which: NDArray[np.intp]) -> list[Lifts]:
    """Return what has to give way for each row, if its facts are not in the way."""
    screens, inputs = outcome.screens, outcome.inputs
    off = np.zeros(len(which), dtype=bool)
    filters, right_sizing_on = inputs.preferences.advisor_filter, inputs.stages.right_sizing_on
    advisor = screens.advisor[which] != KEPT if filters else off
    oversized = screens.oversized[which] != KEPT if right_sizing_on else off
    chance = outcome.risks.chance[which]
    gates = np.minimum(1.0, np.ceil(chance * GATE_DIGITS) / GATE_DIGITS).astype(object)
    gates[~(chance > inputs.preferences.safety_gate)] = None
    columns = (screens.smaller[which], advisor, oversized, gates)
    return [Lifts(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _bars(outcome: Decision, rows: list[int], lifts: list[Lifts]) -> list[float]:
    """Return what each row's expected cost has to be below; nan: that would not do."""
    screens, cost, height = outcome.screens, outcome.ranking.cost, outcome.choice.bar.height
    fit = (screens.hardware == KEPT) | screens.smaller
    can = (fit & (screens.entry == KEPT) & ~np.isnan(cost)).tolist()
    # Where nothing has to give way a row was ranked, and the choice was better.
    ranked = height if outcome.target is None else float(cost[outcome.target])
    admitted = cache(partial(_admitted, outcome))
    return [
        nan if not can[row] else _bar(outcome, row, admitted(lift)) if any(lift) else ranked
        for row, lift in zip(rows, lifts, strict=True)
    ]


def _bar(outcome: Decision, row: int, admitted: list[int]) -> float:
    """Return the bar of a row that comes in with others."""
    height = outcome.choice.bar.height
    rival = next((other for other in admitted if other != row), None)
    cheapest = inf if rival is None else float(outcome.ranking.cost[rival])
    return height if isnan(height) else min(cheapest, height)


def _admitted(outcome: Decision, lifts: Lifts) -> list[int]:
    """Return the two cheapest rows that those settings let in, the machine's own apart."""
    screens, inputs = outcome.screens, outcome.inputs
    fit = screens.hardware == KEPT
    admitted: NDArray[np.bool_] = (fit | screens.smaller) if lifts.smaller else fit
    admitted &= (screens.entry == KEPT) & ~np.isnan(outcome.ranking.cost)
    if inputs.preferences.advisor_filter and not lifts.advisor:
        admitted &= screens.advisor == KEPT
    if inputs.stages.right_sizing_on and not lifts.oversized:
        admitted &= screens.oversized == KEPT
    gate = inputs.preferences.safety_gate if lifts.gate is None else lifts.gate
    admitted &= outcome.risks.chance <= gate
    admitted[outcome.rows.current] = False
    rows = np.flatnonzero(admitted)
    cheapest: list[int] = rows[np.argsort(outcome.ranking.cost[rows])[:2]].tolist()
    return cheapest


def _price_to_stay(outcome: Decision) -> float:
    """
    Return below which price now the machine would have stayed; nan: no price changes it.

    Staying costs p + r. Row j costs b + (d·p + c) / H, because a move pays the price now for the d
    hours of running double. The machine stays while b + (d·p + c) / H >= m·(p + r) for every j,
    which is p <= (b + c / H - m·r) / (m - d / H).
    """
    ranking, bar, rows = outcome.ranking, outcome.choice.bar, outcome.rows
    price = float(rows.price[rows.current])
    if isinf(bar.height) or isnan(price):
        return np.nan
    others = outcome.order[outcome.order != rows.current]
    life = ranking.horizon[others]
    base = ranking.terms.price[others] + ranking.terms.risk[others]
    cutover = ranking.switching - price * ranking.double_run
    slope = bar.margin - ranking.double_run / life
    if (slope <= 0).any():
        return np.nan
    return float(np.min((base + cutover / life - bar.margin * bar.staying_risk) / slope))


def _if_it_were_cheaper(price: float) -> str | None:
    if isnan(price):
        return None
    price = float(_round_down(np.array(price)))
    if price <= 0:
        return "No price would do: its risk alone costs too much."
    return f"Would be the choice if its price fell below {price:.6f} USD/h."


def _round_down(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    down: NDArray[np.float64] = np.floor(prices * PRICE_DIGITS) / PRICE_DIGITS
    return down
