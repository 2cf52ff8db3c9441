"""The periodic sweep over all background work: it resumes work whose task was lost."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSession

logger = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(minutes=5)
ENQUEUED_FOR = timedelta(seconds=30)  # the task of a row younger than this is still on its way


class PendingWork(NamedTuple):
    """Rows whose work is to be done, each as its id and the time at which it can start."""

    expiries: list[tuple[UUID, datetime]]
    evaluations: list[tuple[UUID, datetime]]
    preflights: list[tuple[UUID, datetime]]


class SweepResult(NamedTuple):
    """The number of rows of each kind that were processed, and the work still to be enqueued."""

    expired: int
    cleaned_up: int
    given_up: int
    failed: int
    pending: PendingWork


def cleanup_expired_sessions(*, now: datetime) -> SweepResult:
    """End overdue sessions, resume clean-ups, fail stale evaluations, and find pending work."""
    overdue = SandboxSession.objects.overdue(at=now)
    unfinished = SandboxSession.cleanups.pending()
    stale = Evaluation.objects.stale(at=now)
    done = [
        for_each(overdue, lambda pk: cleanup.expire(session_id=pk, now=now)),
        for_each(unfinished, lambda pk: cleanup.clean_up(session_id=pk, now=now)),
        for_each(stale, lambda pk: evaluations.fail_stale(evaluation_id=pk, now=now)),
    ]
    expired, cleaned_up, given_up = [succeeded for succeeded, _ in done]
    failed = sum(failures for _, failures in done)
    pending = pending_work(now=now, older_than=ENQUEUED_FOR)
    return SweepResult(expired, cleaned_up, given_up, failed, pending)


def pending_work(*, now: datetime, older_than: timedelta = timedelta()) -> PendingWork:
    """Return the work to be enqueued; of evaluations and preflights, only the older ones."""
    evaluations = Evaluation.objects.pending().filter(created_at__lte=now - older_than)
    active = SandboxSession.objects.active(at=now)
    preflights = SandboxSession.preflights.pending().filter(
        expires_at__gt=now, created_at__lte=now - older_than
    )
    soon = active.filter(expires_at__lte=now + SWEEP_EVERY)
    return PendingWork(
        list(soon.values_list("pk", "expires_at")),
        [(pk, at or now) for pk, at in evaluations.values_list("pk", "leased_until")],
        [(pk, at or now) for pk, at in preflights.values_list("pk", "preflight_leased_until")],
    )


def revoke_all_leases() -> None:
    """End every lease when the only process starts: their holders no longer run."""
    Evaluation.objects.all().revoke_leases()
    SandboxSession.preflights.all().revoke_leases()
    SandboxSession.cleanups.all().revoke_leases()


def for_each(rows: QuerySet, work: Callable[[UUID], None]) -> tuple[int, int]:
    """Process each row by itself; return how many succeeded and how many failed."""
    succeeded = failed = 0
    for pk in rows.values_list("pk", flat=True):
        try:
            work(pk)
            succeeded += 1
        except Exception:
            failed += 1
            logger.exception("sweep: processing %s failed; the next sweep tries again", pk)
    return succeeded, failed
