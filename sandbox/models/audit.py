from uuid import uuid4

from django.db import models
from django.db.models import Q

from sandbox.models.session import SandboxSession


class SandboxAction(models.Model):
    """One entry of a session's audit trail; it also lists the AWS resources that were created."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "In progress"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    session = models.ForeignKey(SandboxSession, on_delete=models.CASCADE, related_name="actions")
    action = models.CharField(max_length=32)
    status = models.CharField(max_length=16, choices=Status, default=Status.DONE)
    detail = models.CharField(max_length=500, blank=True, default="")
    resource_type = models.CharField(max_length=32, blank=True, default="")
    resource_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["session", "-created_at"], name="sandbox_action_newest")]
        constraints = [
            models.CheckConstraint(
                name="sandbox_action_completed_at_says_when",
                condition=Q(status="in_progress", completed_at=None)
                | (~Q(status="in_progress") & Q(completed_at__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} ({self.get_status_display()})"
