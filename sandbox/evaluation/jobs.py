"""Evaluates an instance: reads AWS and the market, runs the decision engine, stores the result."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from lab.decisions.decision import DecisionResult, decide
from lab.decisions.inputs import build_inputs
from lab.experiments.log import log_experiment
from lab.queries import get_config
from lab.registry.selection import ModelChoice, model_for
from sandbox import vault
from sandbox.audit import record
from sandbox.evaluation.aws_reads import Reader
from sandbox.evaluation.step_publisher import LeaseLost, StepPublisher
from sandbox.models import Evaluation, SandboxSavings, pack_pools
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.instances import Instance
from spot_optimizer.aws.products import product_of
from spot_optimizer.engine.market import Machine, Market
from spot_optimizer.engine.stages import Stage
from spot_optimizer.errors import DomainError
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.jobs import ensure_market, ensure_type
from spot_optimizer.market.models import Comparable
from spot_optimizer.observability import logs, metrics
from streaming.publish import decision, log, publish

logger = logging.getLogger(__name__)

TIME_LIMIT = 60.0  # [s]
LEASE = timedelta(seconds=120)  # the time limit and one last call: longer than any run
LOG_TYPES = {
    Stage.INPUT: "SCRAPER",
    Stage.HARDWARE: "FILTER",
    Stage.ADVISOR: "FILTER",
    Stage.RIGHT_SIZING: "FILTER",
    Stage.RISK: "MODEL",
    Stage.SAFETY_GATE: "FILTER",
    Stage.RANKING: "DECISION",
    Stage.SIGNAL: "SIGNAL",
    Stage.OUTPUT: "DECISION",
}


def evaluate(*, evaluation_id: UUID, now: datetime) -> None:
    """
    Settle an evaluation: store the decision, or the error.

    A run without the lease publishes nothing, so a duplicate task does no harm.
    """
    rows = Evaluation.objects.filter(pk=evaluation_id)
    leased_until = now + LEASE
    if not rows.lease(until=leased_until, now=now):
        logger.info("evaluation %s is settled, or leased by another run", evaluation_id)
        return
    evaluation = rows.select_related("session__user", "requested_model").get()
    session_id, published_steps = evaluation.session_id, evaluation.published_steps
    steps = StepPublisher(evaluation_id, session_id, leased_until, published_steps)
    with (
        logs.bound(session_id=session_id),
        rows.released_on_database_error(leased_until=leased_until),
    ):
        try:
            _evaluate(evaluation, steps, now)
        except LeaseLost:
            logger.info("evaluation %s is settled, or leased by another run", evaluation_id)


@transaction.atomic
def fail_stale(*, evaluation_id: UUID, now: datetime) -> None:
    """Fail an evaluation that no worker has settled in time."""
    detail = "No worker settled this within ten minutes. Check that a worker runs; evaluate again."
    error = {"code": "overdue", "detail": detail}
    stale = Evaluation.objects.stale(at=now).filter(pk=evaluation_id)
    session_id = stale.values_list("session", flat=True).first()
    failed = stale.update(state=Evaluation.State.FAILED, error=error, settled_at=now)
    if failed and session_id:
        metrics.count_failure(error["code"])
        publish(session_id, log("SYSTEM", detail, level="ERROR"))


def release_lease(*, evaluation_id: str, **_: object) -> None:
    """End the lease of a run that is about to be stopped; it can no longer write."""
    Evaluation.objects.filter(pk=evaluation_id).revoke_leases()


def _evaluate(evaluation: Evaluation, steps: StepPublisher, now: datetime) -> None:
    started = perf_counter()
    try:
        result = _decide(evaluation, steps, now)
        seconds = perf_counter() - started
        result.body["duration_ms"] = round(seconds * 1000, 1)
        _store_decision(evaluation, steps, result, now)
    except DomainError as error:
        _store_error(evaluation, steps, error)
        metrics.count_failure(error.code)
    else:
        body = result.body
        metrics.count_decision(body["decision"], seconds=seconds, trace=body["trace"])


def _decide(evaluation: Evaluation, steps: StepPublisher, now: datetime) -> DecisionResult:
    session, deadline = evaluation.session, Deadline.after(TIME_LIMIT)
    # Choose the model first: if none can be used, there is no need to call AWS.
    config = get_config(owner=session.user, instance_id=session.instance_id)
    choice = model_for(config, requested=evaluation.requested_model)
    _publish_fallback(steps, choice)
    access = AwsAccess(vault.unseal(session), session.aws_region)
    steps.publish("aws", log("SCRAPER", f"Reading {session.instance_id} from AWS."))
    reader = Reader(session, access, steps, deadline, now)
    instance = reader.instance()
    signal = reader.signal(instance)
    names = reader.zone_names()
    zone_ids = {name: zone_id for zone_id, name in names.items()}
    inputs = build_inputs(
        machine=_machine(instance, zone_ids),
        market=_market(reader, instance, zone_ids),
        config=config,
        preferences=session.preferences,
        signal=signal,
        model=choice.model,
    )
    result = decide(inputs, model_choice=choice, zone_names=names)
    # All stages take about 20 ms together, so their lines are published in one transaction.
    for step in result.body["trace"]:
        stage = step["stage"]
        steps.add_to_buffer(stage, log(LOG_TYPES[stage], step["note"], stage=stage))
    return result


def _market(reader: Reader, instance: Instance, zone_ids: dict[str, str]) -> Market:
    """Return the market of the pools that can replace the instance; fetch what is not stored."""
    _, access, steps, deadline, now = reader
    product = product_of(instance.platform_details)
    its_type = ensure_type(access=access, name=instance.instance_type, deadline=deadline, now=now)
    comparable = Comparable(instance.architecture, its_type.vcpu)
    as_of = ensure_market(
        access=access,
        zone_ids=zone_ids,
        product=product,
        comparable=comparable,
        deadline=deadline,
        now=now,
        report=lambda text: steps.publish(f"market: {text}", log("SCRAPER", text)),
    )
    return load_snapshot(region=access.region, product=product, as_of=as_of, comparable=comparable)


def _publish_fallback(steps: StepPublisher, choice: ModelChoice) -> None:
    if choice.fallback is None:
        return
    model = choice.model
    text = f"{choice.fallback['reason']} {model.name} {model.version} is used instead."
    steps.publish("model_fallback", log("MODEL", text, level="WARNING"))


def _machine(instance: Instance, zone_ids: dict[str, str]) -> Machine:
    return Machine(
        instance_type=instance.instance_type,
        zone=zone_ids.get(instance.zone, instance.zone),
        purchase="spot" if instance.lifecycle == "spot" else "on_demand",
        architecture=instance.architecture,
        virtualization_type=instance.virtualization_type,
        boot_mode=instance.boot_mode,
        ena_support=instance.ena_support,
    )


@transaction.atomic
def _store_decision(
    evaluation: Evaluation, steps: StepPublisher, result: DecisionResult, now: datetime
) -> None:
    body = result.body
    _settle(
        evaluation,
        steps,
        state=Evaluation.State.DECIDED,
        decision=body["decision"],
        outcome=body,
        packed_pools=pack_pools(result.pools),
    )
    record(evaluation.session_id, "evaluation_settled", body["decision"])
    savings = body["projected_savings"].items()
    SandboxSavings.objects.create(
        evaluation=evaluation,
        created_at=now,
        **{name: Decimal(str(round(amount, 6))) for name, amount in savings},
    )
    log_experiment(
        evaluation_id=evaluation.pk,
        owner=evaluation.session.user,
        instance_id=evaluation.session.instance_id,
        outcome=result.decision,
        inputs=result.serialized_inputs,
        body=body,
        now=now,
    )
    serialized = {"evaluation_id": str(evaluation.pk), "state": "decided", "error": None}
    steps.publish_last(decision(serialized | body))


@transaction.atomic
def _store_error(evaluation: Evaluation, steps: StepPublisher, error: DomainError) -> None:
    stored = {"code": error.code, "detail": str(error)}
    _settle(evaluation, steps, state=Evaluation.State.FAILED, error=stored)
    record(evaluation.session_id, "evaluation_settled", error.code)
    text = f"The evaluation failed ({error.code}): {error}"
    steps.publish_last(log("DECISION", text, level="ERROR"))


def _settle(evaluation: Evaluation, steps: StepPublisher, **result: Any) -> None:
    rows = Evaluation.objects.filter(pk=evaluation.pk)
    if not rows.settle(leased_until=steps.leased_until, settled_at=Now(), **result):
        raise LeaseLost
