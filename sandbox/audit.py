"""Writes the audit trail of a session."""

from uuid import UUID

from django.db.models.functions import Now

from sandbox.models import SandboxAction


def record(session_id: UUID, action: str, detail: str = "") -> None:
    """
    Add an action that has just been done, in the caller's transaction.

    The database sets the time: ``now`` of a job is the time at which the job started.
    """
    SandboxAction.objects.create(
        session_id=session_id, action=action, detail=detail, created_at=Now(), completed_at=Now()
    )
