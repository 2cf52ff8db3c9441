"""What the beat asks for. Each run finds what no nudge reached; one bad row stops no other."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import User
from sandbox.cleanup import jobs as cleanup
from sandbox.models import Evaluation, SandboxSession
from spot_optimizer.observability import metrics
from streaming.publish import log, publish

logger = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(minutes=5)
NUDGED_FOR = timedelta(seconds=30)  # a younger row has its nudge still under way
OVERDUE_AFTER = timedelta(minutes=10)
Pending = SandboxSession.Preflight.PENDING


class Swept(NamedTuple):
    """How many rows a sweep worked on, of each kind and in vain; and what it found to be done."""

    expired: int
    cleaned_up: int
    given_up: int
    failed: int
    due: "Due"


class Due(NamedTuple):
    """What is to be done, and when: the id of a row and its moment."""

    expiries: list[tuple[UUID, datetime]]
    evaluations: list[tuple[UUID, datetime]]
    preflights: list[tuple[UUID, datetime]]


def cleanup_expired_sessions(*, now: datetime) -> Swept:
    """End overdue sessions, go on with unfinished clean-ups, and find what no nudge reached."""
    sessions = SandboxSession.objects
    done = [
        _each(sessions.overdue(at=now), lambda pk: cleanup.expire(session_id=pk, now=now)),
        _each(sessions.to_clean_up(), lambda pk: cleanup.clean_up(session_id=pk, now=now)),
        _each(_given_up(now), lambda pk: _give_up(pk, now=now)),
    ]
    expired, cleaned_up, given_up = [worked for worked, _ in done]
    failed = sum(failed for _, failed in done)
    due = find_due(now=now, older_than=NUDGED_FOR)
    return Swept(expired, cleaned_up, given_up, failed, due)


def find_due(*, now: datetime, older_than: timedelta = timedelta()) -> Due:
    """Return what waits, each with the moment at which it can be taken up."""
    waiting = Evaluation.objects.pending().filter(created_at__lte=now - older_than)
    active = SandboxSession.objects.active(at=now)
    unchecked = active.filter(preflight_state=Pending, created_at__lte=now - older_than)
    soon = active.filter(expires_at__lte=now + SWEEP_EVERY)
    return Due(
        list(soon.values_list("pk", "expires_at")),
        [(pk, at or now) for pk, at in waiting.values_list("pk", "leased_until")],
        [(pk, at or now) for pk, at in unchecked.values_list("pk", "preflight_leased_until")],
    )


def update_session_counts(*, now: datetime) -> int:
    """Put the shown number of active sessions right; return for how many users it was wrong."""
    active = (
        SandboxSession.objects.active(at=now)
        .filter(user=OuterRef("pk"))
        .order_by()
        .values("user")
        .annotate(number=Count("pk"))
        .values("number")
    )
    wrong = User.objects.annotate(number=Coalesce(Subquery(active), 0)).filter(
        ~Q(active_sessions_count=F("number"))
    )
    return wrong.update(active_sessions_count=F("number"))


def release_leases() -> None:
    """At the start of the only process there is, every lease is a dead one's."""
    Evaluation.objects.pending().update(leased_until=None)
    SandboxSession.objects.filter(preflight_state=Pending).update(preflight_leased_until=None)


def _given_up(now: datetime) -> QuerySet[Evaluation]:
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    return Evaluation.objects.pending().filter(free, created_at__lte=now - OVERDUE_AFTER)


@transaction.atomic
def _give_up(evaluation_id: UUID, *, now: datetime) -> None:
    detail = "Nobody came to decide this within ten minutes. Check that a worker runs; ask again."
    this = _given_up(now).filter(pk=evaluation_id)
    session_id = this.values_list("session", flat=True).first()
    error = {"code": "overdue", "detail": detail}
    if this.update(state=Evaluation.State.FAILED, error=error, settled_at=now) and session_id:
        metrics.count_failure(error["code"])
        publish(session_id, log("SYSTEM", detail, level="ERROR"))


def _each(rows: QuerySet, work: Callable[[UUID], None]) -> tuple[int, int]:
    """Work on each row; return on how many, and on how many in vain."""
    worked = failed = 0
    for pk in rows.values_list("pk", flat=True):
        try:
            work(pk)
            worked += 1
        except Exception:
            failed += 1
            logger.exception("sweep: %s could not be worked on; the next sweep tries again", pk)
    return worked, failed
