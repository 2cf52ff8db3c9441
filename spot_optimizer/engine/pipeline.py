"""The pipeline: nine stages from a market to a decision."""

from collections.abc import Generator

import numpy as np

from spot_optimizer.engine.candidates import Rows, lay_out
from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.filters import Screens, screen
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.policy.choice import choose
from spot_optimizer.engine.policy.texts import CODES, KEPT, phrases
from spot_optimizer.engine.ranking import assess, explain_ranking, in_order, rank
from spot_optimizer.engine.trace import Funnel, StageTrace
from spot_optimizer.engine.validation import canonical, check

Run = Generator[StageTrace, None, Decision]


def run(inputs: Inputs) -> Run:
    """
    Return the stages, each run when it is asked for; the generator returns the outcome.

    The order of pools, types and zones in the market changes nothing, not even a byte.

    :raises ValueError: naming the argument, at once, if the inputs mean nothing; later, if the
        model answers with anything but hazards.
    """
    check(inputs)
    return _stages(canonical(inputs))


def decide(inputs: Inputs) -> Decision:
    """Return the outcome of all stages. :raises ValueError: as :func:`run` does."""
    stages = run(inputs)
    while True:
        try:
            next(stages)
        except StopIteration as end:
            outcome: Decision = end.value
            return outcome


def _stages(inputs: Inputs) -> Run:
    rows = lay_out(inputs.market, inputs.machine)
    words = phrases(rows.own_type, inputs.machine, inputs.preferences)
    funnel = Funnel(len(rows), rows.current, words)
    screens = screen(rows, inputs.machine, allow_smaller=inputs.preferences.allow_smaller)
    yield funnel.drop("input", screens.entry, _input_note(rows, inputs))
    yield funnel.drop("hardware", screens.hardware)
    yield _advisor(funnel, screens, inputs)
    yield _right_sizing(funnel, screens, inputs)
    risks = assess(rows, inputs)
    unknown = np.isnan(risks.hazard) * np.int8(CODES["risk_unknown"])
    yield funnel.drop("risk", unknown, _risk_note(inputs))
    above = risks.chance > inputs.preferences.safety_gate
    yield funnel.drop("safety_gate", above * np.int8(CODES["safety_gate"]))
    ranking = rank(rows, risks, inputs)
    order = in_order(rows, ranking.cost, funnel.kept)
    yield funnel.pass_on("ranking", explain_ranking(rows, ranking, inputs, len(order)))
    best = next((row for row in order[:2].tolist() if row != rows.current), None)
    choice = choose(rows, risks, ranking, best, inputs.signal)
    if choice.target is not None:
        funnel.reinstate(choice.target)
    yield funnel.pass_on("signal", choice.note)
    yield funnel.pass_on("output", f"{choice.decision}. {choice.reason}")
    return Decision(
        inputs=inputs,
        rows=rows,
        screens=screens,
        risks=risks,
        ranking=ranking,
        choice=choice,
        rejection=funnel.rejection,
        order=in_order(rows, ranking.cost, funnel.rejection == KEPT),
        counts=funnel.counts(),
        traces=tuple(funnel.traces),
    )


def _input_note(rows: Rows, inputs: Inputs) -> str:
    zone, offers = inputs.machine.zone, len(rows) - rows.spots
    return (
        f"{inputs.market.region} as of {inputs.market.as_of}: {rows.spots} spot pools in all its "
        f"zones, {offers} on-demand offers in {zone}; the machine is {rows.name(rows.current)}."
    )


def _advisor(funnel: Funnel, screens: Screens, inputs: Inputs) -> StageTrace:
    if inputs.preferences.advisor_filter:
        return funnel.drop("advisor", screens.advisor)
    note = "The Advisor filter is off (advisor_filter): bands count in the risk only."
    return funnel.pass_on("advisor", note, "disabled")


def _right_sizing(funnel: Funnel, screens: Screens, inputs: Inputs) -> StageTrace:
    if inputs.stages.right_sizing_on:
        return funnel.drop("right_sizing", screens.oversized)
    off = "enable_right_sizing" if not inputs.stages.enable_right_sizing else "SINGLE_LINEAR"
    return funnel.pass_on("right_sizing", f"Right-sizing is off ({off}).", "disabled")


def _risk_note(inputs: Inputs) -> str:
    note = f"{inputs.model_ref}: {inputs.model.describe()} On demand has no risk."
    if inputs.stages.enable_family_stress:
        return note
    return f"{note} Family stress is off (enable_family_stress) and counts as unknown."
