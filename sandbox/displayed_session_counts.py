"""The cached number of active sessions on each user: displayed, never used for a decision."""

from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from accounts.models import User
from sandbox.models import SandboxSession


def update_session_count(user_id: UUID, *, now: datetime) -> None:
    User.objects.filter(pk=user_id).update(active_sessions_count=_active_sessions(now))


def update_session_counts(*, now: datetime) -> int:
    """Correct the number of every user; return for how many users it was wrong."""
    users = User.objects.annotate(number=_active_sessions(now))
    wrong = users.filter(~Q(active_sessions_count=F("number")))
    return wrong.update(active_sessions_count=F("number"))


def _active_sessions(now: datetime) -> Coalesce:
    active = SandboxSession.objects.active(at=now).filter(user=OuterRef("pk")).order_by()
    counted = active.values("user").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)
