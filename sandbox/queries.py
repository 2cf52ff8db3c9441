"""What is asked about sessions. Nothing here writes."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.crypto import constant_time_compare

from accounts.models import User
from sandbox.models import SandboxSession
from spot_optimizer.errors import Forbidden, Missing
from streaming.models import Stream

NO_SUCH_SESSION = "There is no such session. Check its id."


class TicketRequired(Forbidden):
    code = "ticket_required"


class WatchedSession(NamedTuple):
    id: UUID
    last_seq: int
    expires_at: datetime
    has_ended: bool


def get_watched_session(
    *, session_id: str, user: User | AnonymousUser, ticket: str
) -> WatchedSession:
    """
    Return what a watcher of a session needs to start; ``session_id`` is whatever the URL says.

    Session and ``last_seq`` are read by one statement: a session that ended between two would
    leave its watcher waiting forever.

    :raises Missing: there is no such session
    :raises TicketRequired: tickets are required, and this is neither the owner nor the ticket
    """
    last_seq = Stream.objects.filter(pk=OuterRef("pk")).values("last_seq")
    session = (
        SandboxSession.objects.filter(pk=_uuid(session_id))
        .annotate(last_seq=Coalesce(Subquery(last_seq), 0))
        .first()
    )
    if session is None:
        raise Missing(NO_SUCH_SESSION)
    if settings.STREAM_REQUIRE_TICKET and not (
        session.user_id == user.pk or constant_time_compare(ticket, session.stream_ticket)
    ):
        raise TicketRequired("Add ?ticket= with the session's stream_ticket, or sign in.")
    return WatchedSession(session.pk, session.last_seq, session.expires_at, session.has_ended)


def _uuid(text: str) -> UUID:
    try:
        parsed = UUID(text)
    except ValueError:
        raise Missing(NO_SUCH_SESSION) from None
    if str(parsed) != text.lower():
        raise Missing(NO_SUCH_SESSION)  # Python reads more notations than URLs have
    return parsed
