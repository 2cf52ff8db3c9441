"""Checks a new session's credentials and instance, and publishes the result of each check."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from sandbox.audit import record
from sandbox.models import SandboxSession
from sandbox.preflight.checks import Check, run_checks
from streaming.models import Line
from streaming.publish import log, publish

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)  # the time limit of the checks and one last call
Preflight = SandboxSession.Preflight
LEVELS = {"passed": "INFO", "skipped": "WARNING", "failed": "ERROR"}


def preflight(*, session_id: UUID, now: datetime) -> None:
    """
    Check a session. If a check fails, the session stays active: its owner reads what to fix.

    A run without the lease changes nothing, so a duplicate task does no harm. A run after one
    that was stopped publishes no check again whose result is still the same.
    """
    rows = SandboxSession.preflights.filter(pk=session_id)
    leased_until = now + LEASE
    if not rows.filter(expires_at__gt=now).lease(until=leased_until, now=now):
        logger.info("preflight of %s is done, or leased by another run", session_id)
        return
    with rows.released_on_database_error(leased_until=leased_until):
        session = rows.leased(until=leased_until).first()
        if session is not None:
            _preflight(session, leased_until)


def release_lease(*, session_id: str, **_: object) -> None:
    """End the lease of a run that is about to be stopped; it can no longer write."""
    SandboxSession.preflights.filter(pk=session_id).revoke_leases()


def _preflight(session: SandboxSession, leased_until: datetime) -> None:
    published, checks = session.preflight_checks, list[dict[str, str]]()
    for check in run_checks(session):
        checks.append(check._asdict())
        is_published = published[: len(checks)] == checks
        if not is_published and not _store_checks(session, leased_until, checks, _line(check)):
            return
    _settle(session, leased_until, checks)


@transaction.atomic
def _store_checks(
    session: SandboxSession,
    leased_until: datetime,
    checks: list[dict[str, str]],
    line: Line,
    **fields: Any,
) -> bool:
    """Store the checks and publish a line, if the lease is still held; return whether it was."""
    rows = SandboxSession.preflights.filter(pk=session.pk)
    if not rows.settle(leased_until=leased_until, preflight_checks=checks, **fields):
        return False
    if "preflight_state" in fields:
        record(session.pk, "preflight", fields["preflight_state"])
    publish(session.pk, line)
    return True


def _settle(session: SandboxSession, leased_until: datetime, checks: list[dict[str, str]]) -> None:
    passed = all(check["status"] == "passed" for check in checks)
    _store_checks(
        session,
        leased_until,
        checks,
        _result_line(passed=passed),
        preflight_state=Preflight.PASSED if passed else Preflight.FAILED,
        aws_account=session.aws_account,
        zone_names=session.zone_names,
    )


def _line(check: Check) -> Line:
    text = f"{check.name}: {check.status}. {check.detail}"
    return log("PREFLIGHT", text, level=LEVELS[check.status])


def _result_line(*, passed: bool) -> Line:
    if passed:
        return log("PREFLIGHT", "Preflight passed: this session can evaluate the instance.")
    text = "Preflight failed. Fix the failed checks above, then open a new session."
    return log("PREFLIGHT", text, level="ERROR")
