"""The pipeline: nine stages from the inputs to a decision."""

import numpy as np

from spot_optimizer.engine.candidates import candidates_of
from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.filters import FilterResults, apply_filters
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.policy.choice import choose
from spot_optimizer.engine.policy.ranking import in_order, rank, risks_of
from spot_optimizer.engine.rejections import ACCEPTED, CODES
from spot_optimizer.engine.stages import Stage
from spot_optimizer.engine.trace import OnStage, StageRecorder
from spot_optimizer.engine.validation import canonical, validate


def decide(inputs: Inputs, *, on_stage: OnStage | None = None) -> Decision:
    """
    Run all stages and return the decision.

    Parameters
    ----------
    inputs : Inputs
        In any order: the order of types, zones and pools in the market changes no byte of the
        result.
    on_stage : callable, optional
        Called with the trace of each stage as it ends, for example to measure the time.

    Returns
    -------
    Decision

    Raises
    ------
    ValueError
        Naming the argument, before the first stage, if the inputs are invalid; naming the model,
        if it does not return one valid hazard for each spot pool.
    """
    validate(inputs)
    inputs = canonical(inputs)
    candidates = candidates_of(inputs.market, inputs.machine)
    filters = apply_filters(
        candidates, inputs.machine, allow_smaller=inputs.preferences.allow_smaller
    )
    recorder = StageRecorder(len(candidates), candidates.current, on_stage)
    _filter(recorder, filters, inputs)
    risks = risks_of(candidates, inputs)
    recorder.reject(Stage.RISK, np.isnan(risks.hazard) * np.int8(CODES["risk_unknown"]))
    too_risky = risks.probability > inputs.preferences.safety_gate
    recorder.reject(Stage.SAFETY_GATE, too_risky * np.int8(CODES["safety_gate"]))
    ranking = rank(candidates, risks, inputs)
    order = in_order(candidates, ranking.cost, recorder.accepted)
    recorder.record(Stage.RANKING)
    best = next((index for index in order[:2].tolist() if index != candidates.current), None)
    choice = choose(candidates, risks, ranking, best, inputs.signal)
    if choice.target is not None:
        recorder.accept(choice.target)
    recorder.record(Stage.SIGNAL)
    recorder.record(Stage.OUTPUT)
    return Decision(
        inputs=inputs,
        candidates=candidates,
        filters=filters,
        risks=risks,
        ranking=ranking,
        choice=choice,
        rejection=recorder.rejection,
        order=in_order(candidates, ranking.cost, recorder.rejection == ACCEPTED),
        counts=recorder.counts(),
        traces=tuple(recorder.traces),
    )


def _filter(recorder: StageRecorder, filters: FilterResults, inputs: Inputs) -> None:
    recorder.reject(Stage.INPUT, filters.input)
    recorder.reject(Stage.HARDWARE, filters.hardware)
    if inputs.preferences.advisor_filter:
        recorder.reject(Stage.ADVISOR, filters.advisor)
    else:
        recorder.record(Stage.ADVISOR, "disabled")
    if inputs.stages.right_sizing_on:
        recorder.reject(Stage.RIGHT_SIZING, filters.right_sizing)
    else:
        recorder.record(Stage.RIGHT_SIZING, "disabled")
