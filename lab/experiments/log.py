"""Stores every evaluation as an experiment with its inputs, so that it can be replayed."""

import zlib
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from accounts.models import User
from lab.models import ExperimentLog
from spot_optimizer.engine import pipeline
from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.serialization import deserialize_inputs, inputs_hash
from spot_optimizer.engine.verdicts import verdict_of


class Difference(NamedTuple):
    """A value that differs between the stored decision and its replay."""

    what: str
    stored: Any
    replayed: Any


def log_experiment(
    *,
    evaluation_id: UUID,
    owner: User,
    instance_id: str,
    outcome: Decision,
    inputs: bytes,
    body: dict[str, Any],
    now: datetime,
) -> None:
    """
    Store a decided evaluation; ``inputs`` are serialized, ``body`` is the decision as the API
    returns it.

    Call it in the transaction that settles the evaluation: both rows are written, or neither.
    """
    ExperimentLog.objects.create(
        evaluation_id=evaluation_id,
        owner=owner,
        instance_id=instance_id,
        model_id=body["model"]["id"],
        model_name=body["model"]["name"],
        model_version=body["model"]["version"],
        model_fallback=body["model_fallback"],
        pipeline_mode=body["pipeline_mode"],
        decision=outcome.action,
        numbers=numbers_of(outcome),
        inputs_hash=body["inputs_hash"],
        inputs=zlib.compress(inputs),
        milliseconds={step["stage"]: step["ms"] for step in body["trace"]},
        created_at=now,
    )


def numbers_of(outcome: Decision) -> dict[str, Any]:
    """Return the numbers of a decision that a replay must reproduce."""
    return {
        "crash_probability": outcome.crash_probability,
        "current": _pool(outcome, outcome.current),
        "target": None if outcome.target is None else _pool(outcome, outcome.target),
        "projected_savings": outcome.projected_savings._asdict(),
        "counts": outcome.counts,
        "stages": [
            {
                "stage": trace.stage.value,
                "status": trace.status,
                "in": trace.candidates_in,
                "out": trace.candidates_out,
            }
            for trace in outcome.traces
        ],
    }


def replay(experiment: ExperimentLog) -> list[Difference]:
    """
    Run an experiment's inputs through the engine again, and return the values that differ.
    """
    try:
        inputs = deserialize_inputs(zlib.decompress(experiment.inputs))
        outcome = pipeline.decide(inputs)
    except (ValueError, zlib.error) as error:
        return [Difference("inputs", "a decision's inputs", f"invalid: {error}")]
    found = {
        "inputs_hash": inputs_hash(inputs),
        "decision": outcome.action,
        "pipeline_mode": inputs.stages.pipeline_mode,
        **numbers_of(outcome),
    }
    return [
        Difference(what, stored, value)
        for what, value in found.items()
        if (stored := _stored(experiment, what)) != value
    ]


def _stored(experiment: ExperimentLog, what: str) -> Any:
    if what in ("inputs_hash", "decision", "pipeline_mode"):
        return getattr(experiment, what)
    return experiment.numbers.get(what)


def _pool(outcome: Decision, index: int) -> dict[str, Any]:
    verdict = verdict_of(outcome, index)
    return {
        "instance_type": verdict.instance_type,
        "availability_zone_id": verdict.zone,
        "purchase": verdict.purchase,
        "price": verdict.price,
        "crash_probability": verdict.crash_probability,
        "expected_cost": verdict.expected_cost,
    }
