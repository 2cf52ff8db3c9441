import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from sandbox.audit import count_active_sessions, note
from sandbox.models import Evaluation, SandboxAction, SandboxSession
from spot_optimizer.observability import metrics
from streaming.publish import log, publish, session_ended, status

logger = logging.getLogger(__name__)
State = SandboxSession.State


def expire(*, session_id: UUID, now: datetime) -> None:
    """End a session whose time is over. Too early, or a second time, it changes nothing."""
    this = SandboxSession.objects.filter(pk=session_id)
    with transaction.atomic():
        if this.overdue(at=now).move(to=State.EXPIRED):
            note(session_id, "session_expired")
            publish(session_id, log("SYSTEM", "The session's time is over."), status(State.EXPIRED))
    clean_up(session_id=session_id, now=now)


def clean_up(*, session_id: UUID, now: datetime) -> None:
    """
    Remove what the session made in AWS, erase its credentials, and end it.

    May run twice, or together with itself: each step is a conditional write.
    """
    this = SandboxSession.objects.filter(pk=session_id)
    with transaction.atomic():
        if this.filter(state=State.EXPIRED).move(to=State.ENDING):
            publish(session_id, status(State.ENDING))
    with transaction.atomic():
        if this.filter(state=State.ENDING).move(
            to=State.ENDED, ended_at=now, sealed_credentials=None
        ):
            _end(session_id, now)


def _end(session_id: UUID, now: datetime) -> None:
    _fail_pending(session_id, now)
    expired = SandboxAction.objects.filter(session=session_id, action="session_expired").exists()
    note(session_id, "session_ended", "credentials erased")
    session = SandboxSession.objects.only("user_id").get(pk=session_id)
    count_active_sessions(session.user_id, now=now)
    publish(
        session_id,
        log("CLEANUP", "Nothing was made in AWS, so nothing is left to remove there."),
        log("CLEANUP", "The AWS credentials of this session are erased."),
        status(State.ENDED),
        session_ended("expired" if expired else "ended"),
    )


def _fail_pending(session_id: UUID, now: datetime) -> None:
    """Nobody shall wait for an evaluation of a session that has ended."""
    error = {"code": "session_ended", "detail": "The session ended before this was decided."}
    pending = Evaluation.objects.pending().filter(session=session_id)
    failed = pending.update(state=Evaluation.State.FAILED, error=error, settled_at=now)
    metrics.count_failure(error["code"], times=failed)
    for _ in range(failed):
        note(session_id, "evaluation_settled", error["code"])
