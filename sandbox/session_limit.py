"""The limit of active sessions per user."""

from datetime import datetime

from django.conf import settings
from django.db.models import Min

from accounts.models import User
from sandbox.models import SandboxSession
from spot_optimizer.errors import LimitExceeded


class ActiveSessionLimit(LimitExceeded):
    code = "active_session_limit"


def check_session_limit(user: User, *, now: datetime) -> None:
    """
    Lock the user's row and check that one more session may be opened in this transaction.

    :raises ActiveSessionLimit: the user already has as many active sessions as allowed
    """
    # Without the lock, two requests could both count four sessions and open a fifth and a sixth.
    # SQLite has no row locks: there, BEGIN IMMEDIATE runs one transaction after the other.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    limit = settings.SANDBOX_MAX_ACTIVE_SESSIONS
    sessions = SandboxSession.objects.active(at=now).filter(user=user)
    active = sessions.count()
    if active < limit:
        return
    first_end = sessions.aggregate(at=Min("expires_at"))["at"]
    raise ActiveSessionLimit(
        f"You have {active} active sessions, and {limit} are allowed. End one first.",
        retry_after=max(1, int((first_end - now).total_seconds())),
        limit=limit,
        active=active,
    )
