"""Settles evaluations: asks AWS, loads the market, lets the engine decide, and tells each step."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models.functions import Now

from lab.decisions.decision import DecisionResult, decide
from lab.decisions.inputs import build_inputs
from lab.experiments.log import log_experiment
from lab.queries import get_config
from lab.registry.selection import ModelChoice, model_for
from sandbox import vault
from sandbox.audit import note
from sandbox.evaluation.step_publisher import LeaseLost, Teller
from sandbox.models import Evaluation, SandboxSavings, SandboxSession, pack_pools
from sandbox.queries import received_signal
from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.instances import Instance, describe_instance
from spot_optimizer.aws.interruptions import interruption_signal
from spot_optimizer.aws.products import product_of
from spot_optimizer.aws.zones import zone_names
from spot_optimizer.engine.market import Machine
from spot_optimizer.engine.stages import Stage
from spot_optimizer.errors import Conflict, DomainError
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.jobs import ensure_market, ensure_type
from spot_optimizer.market.models import Comparable
from spot_optimizer.observability import logs, metrics
from streaming.publish import decision, log

logger = logging.getLogger(__name__)

TIME_LIMIT = 60.0  # [s]
LEASE = timedelta(seconds=120)  # the limit and one last call: no lease ends under a living run
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
ALIVE = ("pending", "running")


class NotRunning(Conflict):
    code = "instance_not_running"


def evaluate(*, evaluation_id: UUID, now: datetime) -> None:
    """
    Settle an evaluation: decided, or failed with the reason.

    It is taken first, so a second run finds nothing to do and publishes no line again.
    """
    this = Evaluation.objects.filter(pk=evaluation_id)
    lease = now + LEASE
    if not this.lease(until=lease, now=now):
        logger.info("evaluation %s is settled, or another run has it", evaluation_id)
        return
    evaluation = this.select_related("session__user", "requested_model").get()
    teller = Teller(evaluation_id, evaluation.session_id, lease, evaluation.told)
    with logs.bound(session_id=evaluation.session_id):
        try:
            _evaluate(evaluation, teller, now)
        except LeaseLost:
            logger.info("evaluation %s went to another run, or is settled", evaluation_id)
        except (OperationalError, InterfaceError):
            # The database went away under this run. If it is back, the next one need not wait.
            close_old_connections()
            this.release(leased_until=lease)
            raise


def _evaluate(evaluation: Evaluation, teller: Teller, now: datetime) -> None:
    began = perf_counter()
    try:
        decided = _decided(evaluation, teller, now)
        seconds = perf_counter() - began
        decided.body["duration_ms"] = round(seconds * 1000, 1)
        _settle(evaluation, teller, decided, now)
    except DomainError as refusal:
        _fail(evaluation, teller, refusal, now)
        metrics.count_failure(refusal.code)
    else:
        body = decided.body
        metrics.count_decision(body["decision"], seconds=seconds, trace=body["trace"])


def give_back(*, evaluation_id: str, **_: object) -> None:
    """Free an evaluation for another run; the one that has it writes nothing any more."""
    Evaluation.objects.pending().filter(pk=evaluation_id).update(leased_until=None)


def _decided(evaluation: Evaluation, teller: Teller, now: datetime) -> DecisionResult:
    session, deadline = evaluation.session, Deadline.after(TIME_LIMIT)
    # First: a model that cannot be used must not cost anybody a call to AWS.
    config = get_config(owner=session.user, instance_id=session.instance_id)
    asked = model_for(config, requested=evaluation.requested_model)
    _tell_fallback(teller, asked)
    access = AwsAccess(vault.unseal(session), session.aws_region)
    teller.tell("aws", log("SCRAPER", f"Asking AWS about {session.instance_id}."))
    instance = _instance(session, access, teller, deadline)
    signal = _signal(instance, access, teller, deadline, now)
    names = _zone_names(session, access, deadline)
    zone_ids = {name: zone_id for zone_id, name in names.items()}
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
        report=lambda text: teller.tell(f"market: {text}", log("SCRAPER", text)),
    )
    inputs = build_inputs(
        machine=_machine(instance, zone_ids),
        market=load_snapshot(
            region=session.aws_region, product=product, as_of=as_of, comparable=comparable
        ),
        config=config,
        preferences=session.preferences,
        signal=signal,
        model=asked.model,
    )
    result = decide(inputs, model_choice=asked, zone_names=names)
    # One publication for all stages: together they take about 20 ms.
    for step in result.body["trace"]:
        stage = step["stage"]
        teller.keep(stage, log(LOG_TYPES[stage], step["note"], stage=stage))
    return result


def _tell_fallback(teller: Teller, asked: ModelChoice) -> None:
    if asked.fallback is None:
        return
    model = asked.model
    told = f"{asked.fallback['reason']} {model.name} {model.version} is asked instead."
    teller.tell("model_fallback", log("MODEL", told, level="WARNING"))


def _instance(
    session: SandboxSession, access: AwsAccess, teller: Teller, deadline: Deadline
) -> Instance:
    instance = describe_instance(access, session.instance_id, deadline=deadline)
    if (session.instance_type, session.availability_zone) != (
        instance.instance_type,
        instance.zone,
    ):
        found = f"{instance.instance_type} in {instance.zone}"
        text = f"It is {found}, not what the session says; {found} is what is evaluated."
        teller.tell("mismatch", log("SCRAPER", text, level="WARNING"))
    if instance.state not in ALIVE:
        raise NotRunning(f"{instance.instance_id} is {instance.state}. Start it, then ask again.")
    return instance


def _signal(
    instance: Instance, access: AwsAccess, teller: Teller, deadline: Deadline, now: datetime
) -> str:
    """Return the strongest signal there is: what EventBridge brought, or the request's status."""
    brought = received_signal(instance_id=instance.instance_id, now=now)
    if instance.spot_request_id is None:
        return brought
    asked = interruption_signal(access, instance.spot_request_id, deadline=deadline)
    news = "nothing" if brought == "NONE" else f"a {brought} signal"
    text = f"Its spot request is {asked.status_code}; EventBridge brought {news}."
    teller.tell("signals", log("SIGNAL", text))
    return asked.kind if asked.kind != "NONE" else brought


def _zone_names(session: SandboxSession, access: AwsAccess, deadline: Deadline) -> dict[str, str]:
    if not session.zone_names:  # the preflight has not come to it yet
        session.zone_names = zone_names(access, deadline=deadline)
        SandboxSession.objects.filter(pk=session.pk).update(zone_names=session.zone_names)
    names: dict[str, str] = session.zone_names
    return names


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


def _settle(evaluation: Evaluation, teller: Teller, decided: DecisionResult, now: datetime) -> None:
    told = {"evaluation_id": str(evaluation.pk), "state": "decided", "error": None, **decided.body}
    savings = decided.body["projected_savings"]
    with transaction.atomic():
        _write(
            evaluation,
            teller,
            now,
            state=Evaluation.State.DECIDED,
            decision=decided.body["decision"],
            outcome=decided.body,
            packed_pools=pack_pools(decided.pools),
        )
        SandboxSavings.objects.create(
            evaluation=evaluation,
            created_at=now,
            **{name: Decimal(str(round(amount, 6))) for name, amount in savings.items()},
        )
        log_experiment(
            evaluation_id=evaluation.pk,
            owner=evaluation.session.user,
            instance_id=evaluation.session.instance_id,
            outcome=decided.decision,
            inputs=decided.serialized_inputs,
            body=decided.body,
            now=now,
        )
        teller.publish(decision(told))


def _fail(evaluation: Evaluation, teller: Teller, refusal: DomainError, now: datetime) -> None:
    error = {"code": refusal.code, "detail": str(refusal)}
    with transaction.atomic():
        _write(evaluation, teller, now, state=Evaluation.State.FAILED, error=error)
        told = f"The evaluation failed ({refusal.code}): {refusal}"
        teller.publish(log("DECISION", told, level="ERROR"))


def _write(evaluation: Evaluation, teller: Teller, now: datetime, **outcome: Any) -> None:
    this = Evaluation.objects.filter(pk=evaluation.pk)
    if not this.settle(leased_until=teller.leased_until, settled_at=Now(), **outcome):
        raise LeaseLost
    detail = outcome.get("decision") or outcome["error"]["code"]
    note(evaluation.session_id, "evaluation_settled", detail)
