"""The note of each stage: sentences for people, with the numbers in force."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.stages import Stage
from spot_optimizer.engine.texts.choice import reason_of, signal_note
from spot_optimizer.engine.texts.rejections import reason_texts
from spot_optimizer.engine.trace import StageTrace


def trace_of(decision: Decision) -> list[dict[str, Any]]:
    """
    Return the trace of all stages with their notes.

    Parameters
    ----------
    decision : Decision, c candidates

    Returns
    -------
    list of dict
        One for each stage in order: ``stage``, ``status``, ``in``, ``out`` and ``note``.
    """
    reasons = reason_texts(
        decision.candidates.own_type, decision.inputs.machine, decision.inputs.preferences
    )
    return [
        {
            "stage": trace.stage.value,
            "status": trace.status,
            "in": trace.candidates_in,
            "out": trace.candidates_out,
            "note": _note(decision, trace, reasons),
        }
        for trace in decision.traces
    ]


def _note(decision: Decision, trace: StageTrace, reasons: Mapping[str, str]) -> str:
    if trace.stage in LATE_NOTES:
        return LATE_NOTES[trace.stage](decision)
    if trace.status == "disabled":
        return DISABLED_NOTES[trace.stage](decision)
    prefix = FILTER_PREFIXES[trace.stage](decision) if trace.stage in FILTER_PREFIXES else ""
    sentences = [prefix, _counts(trace, reasons), _current(trace, reasons)]
    return " ".join(filter(None, sentences))


def _counts(trace: StageTrace, reasons: Mapping[str, str]) -> str:
    summary = f"Kept {trace.candidates_out} of {trace.candidates_in}"
    parts = [f"{count} {reasons[reason]}" for reason, count in trace.rejected.items()]
    return f"{summary}: dropped {', '.join(parts)}." if parts else f"{summary}."


def _current(trace: StageTrace, reasons: Mapping[str, str]) -> str:
    if trace.current_rejection is None:
        return ""
    reason = reasons[trace.current_rejection]
    return f"Where the machine is stays in as the baseline, though {reason}."


def _input_note(decision: Decision) -> str:
    candidates, inputs = decision.candidates, decision.inputs
    zone, offers = inputs.machine.zone, len(candidates) - candidates.spot_count
    return (
        f"{inputs.market.region} as of {inputs.market.as_of}: {candidates.spot_count} spot pools "
        f"in all its zones, {offers} on-demand offers in {zone}; the machine is "
        f"{candidates.label(candidates.current)}."
    )


def _advisor_disabled(decision: Decision) -> str:
    return "The Advisor filter is off (advisor_filter): bands count in the risk only."


def _right_sizing_disabled(decision: Decision) -> str:
    is_on = decision.inputs.stages.enable_right_sizing
    return f"Right-sizing is off ({'SINGLE_LINEAR' if is_on else 'enable_right_sizing'})."


def _risk_note(decision: Decision) -> str:
    inputs = decision.inputs
    note = f"{inputs.model_ref}: {inputs.model.describe()} On demand has no risk."
    if inputs.stages.enable_family_stress:
        return note
    return f"{note} Family stress is off (enable_family_stress) and counts as unknown."


def _ranking_note(decision: Decision) -> str:
    """Return the sentence from which every expected cost can be recomputed by hand."""
    ranking, costs = decision.ranking, decision.inputs.costs
    value = decision.inputs.preferences.downtime_usd_per_hour
    down = costs.boot_minutes + costs.restore_minutes + costs.lost_work_minutes
    ranked = decision.traces[list(Stage).index(Stage.RANKING)].candidates_out
    note = (
        f"Ranked {ranked} by price + hazard · {ranking.interruption:.8g} USD + "
        f"{ranking.switching:.8g} USD / horizon. An hour of downtime is worth {value:.8g} USD; an "
        f"interruption costs {down:g} minutes of it (boot {costs.boot_minutes:g}, restore "
        f"{costs.restore_minutes:g}, lost work {costs.lost_work_minutes:g}); a move costs "
        f"{_double_run(decision)} and {costs.cutover_downtime_minutes:g} "
        "minutes of downtime, nothing for where the machine is; hazard = -ln(1 - "
        "crash_probability) per hour; horizon = min(24 h, 1 / hazard)."
    )
    if not decision.inputs.stages.bin_packing_on:
        return note
    return f"{note} Bin packing is on: a price is divided by the whole copies it could host."


def _double_run(decision: Decision) -> str:
    price = decision.candidates.price[decision.current]
    if np.isnan(price):
        return "nothing for running double, because the price paid now is unknown,"
    return f"{decision.inputs.costs.double_run_minutes:g} minutes at the {price:.8g} USD/h paid now"


def _output_note(decision: Decision) -> str:
    return f"{decision.action}. {reason_of(decision)}"


Note = Callable[[Decision], str]
FILTER_PREFIXES: Mapping[Stage, Note] = {Stage.INPUT: _input_note, Stage.RISK: _risk_note}
DISABLED_NOTES: Mapping[Stage, Note] = {
    Stage.ADVISOR: _advisor_disabled,
    Stage.RIGHT_SIZING: _right_sizing_disabled,
}
LATE_NOTES: Mapping[Stage, Note] = {
    Stage.RANKING: _ranking_note,
    Stage.SIGNAL: signal_note,
    Stage.OUTPUT: _output_note,
}
