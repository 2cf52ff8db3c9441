"""What is written beside a session: its audit trail, and the number its owner is shown."""

from datetime import datetime
from uuid import UUID

from django.db.models import Count, Subquery
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from sandbox.models import SandboxAction, SandboxSession


def note(session_id: UUID, action: str, detail: str = "") -> None:
    """
    Add what has just been done to the trail, in the caller's transaction.

    The database stamps it, as it stamps lines: all that a job does would carry the job's start.
    """
    SandboxAction.objects.create(
        session_id=session_id, action=action, detail=detail, created_at=Now(), completed_at=Now()
    )


def count_active_sessions(user_id: UUID, *, now: datetime) -> None:
    """Put the shown number right. It is a cache: nothing is decided by it."""
    active = SandboxSession.objects.active(at=now).filter(user=user_id).order_by().values("user")
    count = Coalesce(Subquery(active.annotate(number=Count("pk")).values("number")), 0)
    User.objects.filter(pk=user_id).update(active_sessions_count=count)
