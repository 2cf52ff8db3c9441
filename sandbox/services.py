from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from lab.models import ModelRegistry
from lab.services import register_instance
from sandbox import tasks, vault
from sandbox.audit import record
from sandbox.displayed_session_counts import update_session_count
from sandbox.models import Evaluation, ReceivedSignal, SandboxSession
from sandbox.session_limit import check_session_limit
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.errors import Conflict, Invalid
from streaming.publish import log, publish, status

State = SandboxSession.State

# The longest time a clean-up may take: credentials must outlive the session by that much.
CLEAN_UP_MARGIN = timedelta(minutes=15)


class SessionEnded(Conflict):
    code = "session_ended"


class SessionExpired(Conflict):
    code = "session_expired"


@transaction.atomic
def open_session(
    *,
    user: User,
    credentials: Credentials,
    credentials_expire_at: datetime | None,
    ttl_minutes: int,
    now: datetime,
    **fields: Any,
) -> SandboxSession:
    """
    Open a sandbox session for an instance, and enqueue its preflight.

    ``fields`` are the session's other fields: instance_id, instance_type, availability_zone,
    aws_region, mode, health_check_url, preferences.

    :raises ActiveSessionLimit: the user already has as many active sessions as allowed
    :raises Invalid: the credentials expire before the session and its clean-up could end
    """
    expires_at = now + timedelta(minutes=ttl_minutes)
    _check_credentials_outlive(expires_at, credentials_expire_at)
    check_session_limit(user, now=now)
    session = SandboxSession.objects.create(
        user=user,
        created_at=now,
        expires_at=expires_at,
        aws_access_key_last4=credentials.last4,
        sealed_credentials=vault.seal(credentials),
        credentials_expire_at=credentials_expire_at,
        **fields,
    )
    register_instance(
        owner=user, instance_id=session.instance_id, aws_region=session.aws_region, now=now
    )
    update_session_count(user.pk, now=now)
    record(session.pk, "session_opened", f"{session.instance_type}, {session.mode}")
    publish(session.pk, log("SYSTEM", _welcome(session, ttl_minutes)))
    session_id = str(session.pk)
    transaction.on_commit(lambda: tasks.preflight.delay(session_id=session_id), robust=True)
    return session


@transaction.atomic
def request_evaluation(
    *, session: SandboxSession, model: ModelRegistry | None = None, now: datetime
) -> Evaluation:
    """
    Request an evaluation, or return the pending one with the same model.

    If no run holds the pending one, its task is enqueued again: the first task may be lost.

    :raises SessionExpired: the session has expired, whether or not the sweep has ended it
    :raises SessionEnded: the session is ending or has ended
    """
    session = SandboxSession.objects.select_for_update(no_key=True).get(pk=session.pk)
    _check_active(session, now)
    pending = Evaluation.objects.pending().filter(session=session, requested_model=model).first()
    if pending is not None:
        if pending.leased_until is None or pending.leased_until <= now:
            _enqueue(pending)
        return pending
    evaluation = Evaluation.objects.create(session=session, requested_model=model, created_at=now)
    record(session.pk, "evaluation_requested", str(evaluation.pk))
    _enqueue(evaluation)
    return evaluation


@transaction.atomic
def end_session(*, session: SandboxSession, now: datetime) -> SandboxSession:
    """End a session; a task cleans it up. Ending it again changes nothing."""
    ending = SandboxSession.objects.filter(pk=session.pk, state__in=[State.ACTIVE, State.EXPIRED])
    if ending.move(to=State.ENDING):
        update_session_count(session.user_id, now=now)
        record(session.pk, "session_ending", "requested by its owner or an operator")
        publish(session.pk, status(State.ENDING))
        session_id = str(session.pk)
        transaction.on_commit(lambda: tasks.clean_up.delay(session_id=session_id), robust=True)
    session.refresh_from_db()
    return session


@transaction.atomic
def receive_signal(
    *,
    event_id: str,
    kind: str,
    instance_id: str,
    aws_account: str,
    aws_region: str,
    at: datetime,
    now: datetime,
) -> None:
    """
    Store an EC2 event from EventBridge; receiving it again changes nothing.

    It is published only to sessions whose credentials were verified to belong to its account.
    """
    _, is_new = ReceivedSignal.objects.get_or_create(
        event_id=event_id,
        defaults={
            "kind": kind,
            "instance_id": instance_id,
            "aws_region": aws_region,
            "at": at,
            "received_at": now,
        },
    )
    if not is_new:
        return
    watching = SandboxSession.objects.active(at=now).filter(
        instance_id=instance_id, aws_region=aws_region, aws_account=aws_account
    )
    text = f"EventBridge sent a signal for {instance_id}: {ReceivedSignal.Kind(kind).label}."
    # Locked, so that no session ends before its line is published; ordered, so that two
    # simultaneous events cannot deadlock.
    for session in watching.select_for_update(no_key=True).order_by("pk"):
        publish(session.pk, log("SIGNAL", text, level="WARNING"))


def reseal_credentials() -> int:
    """
    Encrypt all credentials with the first key of ENCRYPTION_KEY; return how many were changed.

    Safe to run again and while the platform runs: erased credentials stay erased.

    :raises CredentialsGone: some are encrypted with a key that is no longer listed
    """
    resealed = 0
    sealed = SandboxSession.objects.exclude(sealed_credentials=None)
    for session in sealed.only("sealed_credentials").iterator():
        old = session.sealed_credentials
        unchanged = SandboxSession.objects.filter(pk=session.pk, sealed_credentials=old)
        resealed += unchanged.update(sealed_credentials=vault.reseal(session))
    return resealed


def _enqueue(evaluation: Evaluation) -> None:
    evaluation_id = str(evaluation.pk)
    transaction.on_commit(lambda: tasks.evaluate.delay(evaluation_id=evaluation_id), robust=True)


def _check_credentials_outlive(
    expires_at: datetime, credentials_expire_at: datetime | None
) -> None:
    if credentials_expire_at is None or credentials_expire_at >= expires_at + CLEAN_UP_MARGIN:
        return
    text = (
        "These credentials expire before the session and its clean-up could end "
        f"({expires_at + CLEAN_UP_MARGIN:%Y-%m-%d %H:%M} UTC). Use newer credentials or a shorter "
        "ttl_minutes."
    )
    raise Invalid("credentials_expire_at is too early.", errors={"credentials_expire_at": [text]})


def _check_active(session: SandboxSession, now: datetime) -> None:
    if session.expires_at <= (session.ended_at or now):
        raise SessionExpired("This session has expired. Open a new one.")
    if session.state != State.ACTIVE:
        raise SessionEnded("This session is ending or has ended. Open a new one.")


def _welcome(session: SandboxSession, ttl_minutes: int) -> str:
    return (
        f"Session opened for {session.instance_id} ({session.instance_type} in "
        f"{session.availability_zone}), {session.get_mode_display().lower()}, "
        f"for {ttl_minutes} minutes."
    )
