"""Sentences about what would have made a candidate the choice."""

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.counterfactuals import Change, RelaxedFilters, smallest_changes
from spot_optimizer.engine.decision import Decision


def would_win_if(decision: Decision, indices: NDArray[np.intp]) -> list[str | None]:
    """
    Return for each of these candidates one sentence on what would have made it the choice.

    Parameters
    ----------
    decision : Decision, c candidates
    indices : ndarray of int, shape (k,)
        Candidates, 0…c - 1.

    Returns
    -------
    list of str or None, length k
        None for the choice itself, and where neither a setting nor a price changes anything.
    """
    changes = zip(indices.tolist(), smallest_changes(decision, indices), strict=True)
    return [
        None if change is None else _sentence(change, is_current=index == decision.current)
        for index, change in changes
    ]


def _sentence(change: Change, *, is_current: bool) -> str:
    conditions = _conditions(change.relaxed)
    if change.price is not None:
        if change.price <= 0:
            return _impossible(change, is_current=is_current)
        conditions.append(f"its price fell below {change.price:.6f} USD/h")
    return f"Would be the choice if {' and '.join(conditions)}."


def _impossible(change: Change, *, is_current: bool) -> str:
    if is_current:
        return "No price would do: its risk alone costs too much."
    return f"No price would do: its risk and the move alone cost {change.other_cost:.6f} USD/h."


def _conditions(relaxed: RelaxedFilters) -> list[str]:
    if not any(relaxed):
        return []
    conditions = [
        (relaxed.smaller, "smaller machines were allowed (allow_smaller)"),
        (relaxed.advisor, "the Advisor filter were off (advisor_filter)"),
        (relaxed.oversized, "right-sizing were off (enable_right_sizing)"),
        (relaxed.gate is not None, f"the safety gate were {relaxed.gate} or more (safety_gate)"),
    ]
    return [text for applies, text in conditions if applies]
