"""Ends sessions: removes what they created in AWS, and erases their credentials."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from sandbox.audit import record
from sandbox.displayed_session_counts import update_session_count
from sandbox.models import Evaluation, SandboxAction, SandboxSession
from spot_optimizer.observability import metrics
from streaming.publish import log, publish, session_ended, status

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
State = SandboxSession.State


def expire(*, session_id: UUID, now: datetime) -> None:
    """End a session that has expired. Before that, or a second time, it changes nothing."""
    overdue = SandboxSession.objects.overdue(at=now).filter(pk=session_id)
    with transaction.atomic():
        if overdue.move(to=State.EXPIRED):
            record(session_id, "session_expired")
            publish(session_id, log("SYSTEM", "The session has expired."), status(State.EXPIRED))
    clean_up(session_id=session_id, now=now)


def clean_up(*, session_id: UUID, now: datetime) -> None:
    """
    Erase the session's credentials and end it. A session creates nothing in AWS so far.

    A run without the lease changes nothing, so a duplicate task does no harm.
    """
    rows = SandboxSession.cleanups.filter(pk=session_id)
    leased_until = now + LEASE
    if not rows.lease(until=leased_until, now=now):
        logger.info("clean-up of %s is done, or leased by another run", session_id)
        return
    with rows.released_on_database_error(leased_until=leased_until):
        _clean_up(session_id, leased_until, now)


def release_lease(*, session_id: str, **_: object) -> None:
    """End the lease of a run that is about to be stopped; it can no longer write."""
    SandboxSession.cleanups.filter(pk=session_id).revoke_leases()


def _clean_up(session_id: UUID, leased_until: datetime, now: datetime) -> None:
    rows = SandboxSession.cleanups.filter(pk=session_id)
    with transaction.atomic():
        unstarted = rows.exclude(state=State.ENDING)
        if unstarted.settle(leased_until=leased_until, state=State.ENDING):
            publish(session_id, status(State.ENDING))
    with transaction.atomic():
        ended = {"state": State.ENDED, "ended_at": now, "sealed_credentials": None}
        if rows.settle(leased_until=leased_until, **ended):
            _finish(session_id, now)


def _finish(session_id: UUID, now: datetime) -> None:
    _fail_pending_evaluations(session_id, now)
    expired = SandboxAction.objects.filter(session=session_id, action="session_expired").exists()
    record(session_id, "session_ended", "credentials erased")
    session = SandboxSession.objects.only("user_id").get(pk=session_id)
    update_session_count(session.user_id, now=now)
    publish(
        session_id,
        log("CLEANUP", "The session created nothing in AWS, so there is nothing to remove."),
        log("CLEANUP", "The AWS credentials of this session have been erased."),
        status(State.ENDED),
        session_ended("expired" if expired else "ended"),
    )


def _fail_pending_evaluations(session_id: UUID, now: datetime) -> None:
    error = {"code": "session_ended", "detail": "The session ended before the decision was made."}
    pending = Evaluation.objects.pending().filter(session=session_id)
    failed = pending.update(state=Evaluation.State.FAILED, error=error, settled_at=now)
    metrics.count_failure(error["code"], times=failed)
    for _ in range(failed):
        record(session_id, "evaluation_settled", error["code"])
