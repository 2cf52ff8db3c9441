"""The checks of a new session: credentials, instance, type, zone and permissions."""

from collections.abc import Iterator
from typing import NamedTuple

from sandbox import vault
from sandbox.models import SandboxSession
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.aws.instances import Instance, describe_instance
from spot_optimizer.aws.permissions import check_permissions
from spot_optimizer.aws.zones import zone_names
from spot_optimizer.errors import DomainError

TIME_LIMIT = 60.0  # [s]


class Check(NamedTuple):
    """One check: ``passed``, ``failed``, or ``skipped`` because another check failed."""

    name: str
    status: str
    detail: str


def run_checks(session: SandboxSession) -> Iterator[Check]:
    """
    Yield the checks, each after those that it depends on; nothing in AWS is changed.

    Sets the session's ``aws_account`` and ``zone_names`` without saving them.
    """
    deadline = Deadline.after(TIME_LIMIT)
    try:
        access = AwsAccess(vault.unseal(session), session.aws_region)
        identity = caller_identity(access, deadline=deadline)
    except DomainError as error:
        yield Check("credentials", "failed", str(error))
        yield from _skipped("instance", "instance_type", "availability_zone", "permissions")
        return
    session.aws_account = identity.account
    yield Check("credentials", "passed", f"The credentials belong to {identity.arn}.")
    try:
        instance = describe_instance(access, session.instance_id, deadline=deadline)
    except DomainError as error:
        yield Check("instance", "failed", str(error))
        yield from _skipped("instance_type", "availability_zone", "permissions")
        return
    yield _check_state(instance)
    yield _compare("instance_type", session.instance_type, instance.instance_type)
    yield _check_zone(session, access, instance, deadline)
    yield _check_permissions(session, access, instance, deadline)


def _skipped(*names: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, "skipped", "A check before it failed.")


def _check_state(instance: Instance) -> Check:
    detail = f"{instance.instance_id} is {instance.state} ({instance.lifecycle})."
    return Check("instance", "passed" if instance.state == "running" else "failed", detail)


def _compare(name: str, expected: str, found: str) -> Check:
    if expected == found:
        return Check(name, "passed", f"It is {found}, as the session states.")
    detail = f"The session states {expected}, but it is {found}. Open a session with {found}."
    return Check(name, "failed", detail)


def _check_zone(
    session: SandboxSession, access: AwsAccess, instance: Instance, deadline: Deadline
) -> Check:
    """Compare the zone, and set the account's zone names, which evaluations use."""
    try:
        session.zone_names = zone_names(access, deadline=deadline)
    except DomainError as error:
        return Check("availability_zone", "failed", str(error))
    return _compare("availability_zone", session.availability_zone, instance.zone)


def _check_permissions(
    session: SandboxSession, access: AwsAccess, instance: Instance, deadline: Deadline
) -> Check:
    try:
        permissions = check_permissions(
            access,
            mode=session.mode,
            instance=instance,
            session_id=str(session.pk),
            deadline=deadline,
        )
    except DomainError as error:
        return Check("permissions", "failed", str(error))
    missing = [permission for permission in permissions if not permission.is_granted]
    if not missing:
        detail = f"All {len(permissions)} required permissions are granted."
        return Check("permissions", "passed", detail)
    names = ", ".join(permission.action for permission in missing)
    details = " ".join(permission.detail for permission in missing)
    return Check("permissions", "failed", f"Missing {names}. {details}")
