"""The smallest change that would have made a row the choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import ceil, floor, inf, isinf, isnan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.reasons import KEPT

if TYPE_CHECKING:
    from spot_optimizer.engine.outcome import Outcome

GATE_DIGITS = 1e4
PRICE_DIGITS = 1e6
Admitted = Callable[["Lifts"], list[int]]


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


def would_win_if(outcome: Outcome, which: NDArray[np.intp]) -> list[str | None]:
    """
    Return a sentence for each of these rows, all else equal: the settings first, then the price
    if that is needed too.

    None for the choice itself, and where neither a setting nor a price changes anything. Whatever
    else a changed setting lets in is competed with as well.
    """
    admitted = cache(partial(_admitted, outcome))
    return [_sentence(outcome, row, admitted) for row in which.tolist()]


def _sentence(outcome: Outcome, row: int, admitted: Admitted) -> str | None:
    if row == outcome.chosen:
        return None
    if row == outcome.rows.current:
        return _if_it_were_cheaper(_price_to_stay(outcome))
    lifts = _lifts(outcome, row)
    if lifts is None:
        return None
    bar = _bar(outcome, row, lifts, admitted)
    if isnan(bar):  # what staying costs is unknown: nothing shows that this row is better
        return None
    conditions = lifts.conditions()
    if outcome.ranking.cost[row] >= bar:
        terms = outcome.ranking.terms
        beside = float(terms.risk[row] + terms.switching[row])
        price = _round_down((bar - beside) * float(outcome.ranking.copies[row]))
        if price <= 0:
            return f"No price would do: its risk and the move alone cost {beside:.6f} USD/h."
        conditions.append(f"its price fell below {price:.6f} USD/h")
    return f"Would be the choice if {' and '.join(conditions)}." if conditions else None


def _lifts(outcome: Outcome, row: int) -> Lifts | None:
    """Return what has to give way for a row, or None if its facts stand in the way."""
    screens, inputs = outcome.screens, outcome.inputs
    smaller = bool(screens.smaller[row])
    unfit = screens.hardware[row] != KEPT and not smaller
    if screens.entry[row] != KEPT or unfit or isnan(outcome.ranking.cost[row]):
        return None
    chance = float(outcome.risks.chance[row])
    gate = None
    if chance > inputs.preferences.safety_gate:
        gate = min(1.0, ceil(chance * GATE_DIGITS) / GATE_DIGITS)
    return Lifts(
        smaller=smaller,
        advisor=inputs.preferences.advisor_filter and screens.advisor[row] != KEPT,
        oversized=inputs.stages.right_sizes and screens.oversized[row] != KEPT,
        gate=gate,
    )


def _bar(outcome: Outcome, row: int, lifts: Lifts, admitted: Admitted) -> float:
    """Return what the row's expected cost has to be below, with those settings lifted."""
    if not any(lifts):  # it was ranked, and the choice was better
        target = outcome.target
        return outcome.choice.bar.height if target is None else float(outcome.ranking.cost[target])
    rival = next((other for other in admitted(lifts) if other != row), None)
    cheapest = inf if rival is None else float(outcome.ranking.cost[rival])
    height = outcome.choice.bar.height
    return height if isnan(height) else min(cheapest, height)


def _admitted(outcome: Outcome, lifts: Lifts) -> list[int]:
    """Return the two cheapest rows that those settings let in, the machine's own apart."""
    screens, inputs = outcome.screens, outcome.inputs
    fit = screens.hardware == KEPT
    admitted: NDArray[np.bool_] = (fit | screens.smaller) if lifts.smaller else fit
    admitted &= (screens.entry == KEPT) & ~np.isnan(outcome.ranking.cost)
    if inputs.preferences.advisor_filter and not lifts.advisor:
        admitted &= screens.advisor == KEPT
    if inputs.stages.right_sizes and not lifts.oversized:
        admitted &= screens.oversized == KEPT
    gate = inputs.preferences.safety_gate if lifts.gate is None else lifts.gate
    admitted &= outcome.risks.chance <= gate
    admitted[outcome.rows.current] = False
    rows = np.flatnonzero(admitted)
    cheapest: list[int] = rows[np.argsort(outcome.ranking.cost[rows])[:2]].tolist()
    return cheapest


def _price_to_stay(outcome: Outcome) -> float:
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
    if _round_down(price) <= 0:
        return "No price would do: its risk alone costs too much."
    return f"Would be the choice if its price fell below {_round_down(price):.6f} USD/h."


def _round_down(price: float) -> float:
    return price if isinf(price) else floor(price * PRICE_DIGITS) / PRICE_DIGITS
