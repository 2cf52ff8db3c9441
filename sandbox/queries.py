"""Queries for sessions and what belongs to them. Nothing here writes."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.crypto import constant_time_compare

from accounts.models import User
from sandbox.models import (
    Evaluation,
    ReceivedSignal,
    SandboxAction,
    SandboxSession,
    SandboxSessionQuerySet,
)
from spot_optimizer.errors import Forbidden, Missing
from streaming.models import Stream

# The longest published time from a recommendation to its interruption is 8 h 42 min.
REBALANCE_LIFETIME = timedelta(hours=9)
NOTICE_LIFETIME = timedelta(minutes=10)


def sessions_of(user: User) -> SandboxSessionQuerySet:
    return SandboxSession.objects.filter(user=user)


def get_session(*, user: User, session_id: UUID) -> SandboxSession:
    """
    Return a session of the user.

    :raises Missing: there is none with this id, or it belongs to another user
    """
    try:
        return SandboxSession.objects.get(pk=session_id, user=user)
    except SandboxSession.DoesNotExist:
        message = "There is no session with this id, or it belongs to another user."
        raise Missing(message) from None


def evaluations_of(session: SandboxSession) -> QuerySet[Evaluation]:
    return Evaluation.objects.filter(session=session).defer("packed_pools")


def get_evaluation(*, session: SandboxSession, evaluation_id: UUID) -> Evaluation:
    """
    Return an evaluation of the session.

    :raises Missing: the session has none with this id
    """
    evaluation = Evaluation.objects.filter(session=session, pk=evaluation_id).first()
    if evaluation is None:
        raise Missing("This session has no evaluation with this id.")
    return evaluation


def is_settled(evaluation_id: UUID) -> bool:
    return not Evaluation.objects.pending().filter(pk=evaluation_id).exists()


def actions_of(session: SandboxSession) -> QuerySet[SandboxAction]:
    return SandboxAction.objects.filter(session=session)


def received_signal(*, instance_id: str, now: datetime) -> str:
    """Return the strongest signal from EventBridge for the instance that has not lapsed."""
    kinds = ReceivedSignal.Kind
    of_instance = ReceivedSignal.objects.filter(instance_id=instance_id)
    if of_instance.filter(kind=kinds.TERMINATION, at__gt=now - NOTICE_LIFETIME).exists():
        return kinds.TERMINATION.value
    if of_instance.filter(kind=kinds.REBALANCE, at__gt=now - REBALANCE_LIFETIME).exists():
        return kinds.REBALANCE.value
    return "NONE"


NO_SUCH_SESSION = "There is no session with this id. Check the id."


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
    Return what a consumer needs to start; ``session_id`` is the unvalidated text of the URL.

    The session and its ``last_seq`` are read by one statement: if the session ended between two,
    the client would wait forever.

    :raises Missing: there is no such session
    :raises TicketRequired: tickets are required, and the user is not the owner and has no ticket
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
        raise Missing(NO_SUCH_SESSION)  # UUID() also parses other notations
    return parsed
