"""Looks at a new session's credentials and instance before anybody relies on them."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from sandbox import vault
from sandbox.audit import note
from sandbox.models import SandboxSession
from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.aws.instances import Instance, describe_instance
from spot_optimizer.aws.permissions import check_permissions
from spot_optimizer.aws.zones import zone_names
from spot_optimizer.errors import DomainError
from streaming.models import Line
from streaming.publish import log, publish

logger = logging.getLogger(__name__)

TIME_LIMIT = 60.0  # [s]
LEASE = timedelta(seconds=120)  # the limit and one last call
Preflight = SandboxSession.Preflight


class Check(NamedTuple):
    """One thing that was looked at: ``passed``, ``failed``, or ``skipped`` for want of another."""

    name: str
    status: str
    detail: str


def preflight(*, session_id: UUID, now: datetime) -> None:
    """
    Check a session and say what was found, check by check; nothing in AWS is changed.

    It is taken first, so a second run finds nothing to do; one that takes it over says no check
    again that it finds as it was. A failed preflight leaves the session active: its owner reads
    what to mend.
    """
    pending = SandboxSession.objects.active(at=now).filter(
        pk=session_id, preflight_state=Preflight.PENDING
    )
    free = Q(preflight_leased_until=None) | Q(preflight_leased_until__lte=now)
    if not pending.filter(free).update(preflight_leased_until=now + LEASE):
        logger.info("preflight of %s is done, or another run has it", session_id)
        return
    session = pending.first()
    if session is None:
        return  # it has ended this very moment
    told, checks = session.preflight_checks, list[dict[str, str]]()
    for check in _checks(session):
        checks.append(check._asdict())
        is_told = told[: len(checks)] == checks
        if not is_told and not _keep(session, now, _line(check), preflight_checks=checks):
            return
    _settle(session, checks, now)


def give_back(*, session_id: str, **_: object) -> None:
    """Free a preflight for another run; the one that has it writes nothing any more."""
    mine = SandboxSession.objects.filter(pk=session_id, preflight_state=Preflight.PENDING)
    mine.update(preflight_leased_until=None)


def _keep(session: SandboxSession, now: datetime, line: Line, **found: Any) -> bool:
    """Keep what was found and publish its line; return whether the preflight is still ours."""
    # Still active: behind the end of a session nobody says anything.
    mine = SandboxSession.objects.filter(
        pk=session.pk,
        state=SandboxSession.State.ACTIVE,
        preflight_leased_until=now + LEASE,
        preflight_state=Preflight.PENDING,
    )
    with transaction.atomic():
        if not mine.update(**found):
            return False
        if "preflight_state" in found:
            note(session.pk, "preflight", found["preflight_state"])
        publish(session.pk, line)
    return True


def _settle(session: SandboxSession, checks: list[dict[str, str]], now: datetime) -> None:
    passed = all(check["status"] == "passed" for check in checks)
    _keep(
        session,
        now,
        _verdict(passed=passed),
        preflight_state=Preflight.PASSED if passed else Preflight.FAILED,
        preflight_checks=checks,
        aws_account=session.aws_account,
        zone_names=session.zone_names,
    )


def _line(check: Check) -> Line:
    level = {"passed": "INFO", "skipped": "WARNING", "failed": "ERROR"}[check.status]
    return log("PREFLIGHT", f"{check.name}: {check.status}. {check.detail}", level=level)


def _verdict(*, passed: bool) -> Line:
    if passed:
        return log("PREFLIGHT", "Preflight passed: this session can evaluate the instance.")
    return log(
        "PREFLIGHT",
        "Preflight failed. Mend what is named above, then open a new session.",
        level="ERROR",
    )


def _checks(session: SandboxSession) -> Iterator[Check]:
    """Yield the checks in the order in which they need each other."""
    deadline = Deadline.after(TIME_LIMIT)
    try:
        access = AwsAccess(vault.unseal(session), session.aws_region)
        identity = caller_identity(access, deadline=deadline)
    except DomainError as refusal:
        yield Check("credentials", "failed", str(refusal))
        yield from _skipped("instance", "instance_type", "availability_zone", "permissions")
        return
    session.aws_account = identity.account
    yield Check("credentials", "passed", f"AWS knows them as {identity.arn}.")
    try:
        instance = describe_instance(access, session.instance_id, deadline=deadline)
    except DomainError as refusal:
        yield Check("instance", "failed", str(refusal))
        yield from _skipped("instance_type", "availability_zone", "permissions")
        return
    yield _instance(instance)
    yield _same("instance_type", session.instance_type, instance.instance_type)
    yield _zone(session, access, instance, deadline)
    yield from _permissions(session, access, instance, deadline)


def _skipped(*names: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, "skipped", "A check before it failed.")


def _instance(instance: Instance) -> Check:
    detail = f"{instance.instance_id} is {instance.state} ({instance.lifecycle})."
    return Check("instance", "passed" if instance.state == "running" else "failed", detail)


def _same(name: str, said: str, found: str) -> Check:
    if said == found:
        return Check(name, "passed", f"It is {found}, as you said.")
    return Check(name, "failed", f"You said {said}; AWS says {found}. Open a session with that.")


def _zone(
    session: SandboxSession, access: AwsAccess, instance: Instance, deadline: Deadline
) -> Check:
    """Compare the zone, and keep the account's own names of all zones for the evaluations."""
    try:
        session.zone_names = zone_names(access, deadline=deadline)
    except DomainError as refusal:
        return Check("availability_zone", "failed", str(refusal))
    return _same("availability_zone", session.availability_zone, instance.zone)


def _permissions(
    session: SandboxSession, access: AwsAccess, instance: Instance, deadline: Deadline
) -> Iterator[Check]:
    try:
        asked = check_permissions(
            access,
            mode=session.mode,
            instance=instance,
            session_id=str(session.pk),
            deadline=deadline,
        )
    except DomainError as refusal:
        yield Check("permissions", "failed", str(refusal))
        return
    missing = [permission for permission in asked if not permission.is_granted]
    if missing:
        names = ", ".join(permission.action for permission in missing)
        details = " ".join(permission.detail for permission in missing)
        yield Check("permissions", "failed", f"Missing {names}. {details}")
    else:
        yield Check("permissions", "passed", f"All {len(asked)} that are needed are granted.")
