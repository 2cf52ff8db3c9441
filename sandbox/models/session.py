import secrets
from datetime import datetime
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sandbox.models.lease import LeasedQuerySet


def new_stream_ticket() -> str:
    return secrets.token_urlsafe(24)


class SandboxSessionQuerySet(models.QuerySet["SandboxSession"]):
    def active(self, *, at: datetime) -> Self:
        return self.filter(state=SandboxSession.State.ACTIVE, expires_at__gt=at)

    def overdue(self, *, at: datetime) -> Self:
        return self.filter(state=SandboxSession.State.ACTIVE, expires_at__lte=at)

    def move(self, *, to: str, **fields: Any) -> bool:
        """Set the state of the matching sessions; return whether there were any."""
        return bool(self.update(state=to, **fields))


class PreflightQuerySet(LeasedQuerySet["SandboxSession"]):
    """Sessions as work for the preflight."""

    lease_field = "preflight_leased_until"

    def pending(self) -> Self:
        return self.filter(
            state=SandboxSession.State.ACTIVE,
            preflight_state=SandboxSession.Preflight.PENDING,
        )


class CleanupQuerySet(LeasedQuerySet["SandboxSession"]):
    """Sessions as work for the clean-up."""

    lease_field = "cleanup_leased_until"

    def pending(self) -> Self:
        states = SandboxSession.State
        return self.filter(state__in=[states.EXPIRED, states.ENDING, states.CLEANUP_FAILED])


class SandboxSession(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        EXPIRED = "expired", "Expired"
        ENDING = "ending", "Ending"
        CLEANUP_FAILED = "cleanup_failed", "Clean-up failed"
        ENDED = "ended", "Ended"

    class Mode(models.TextChoices):
        DRY_RUN = "dry_run", "Dry run"
        LIVE = "live", "Live"

    class Preflight(models.TextChoices):
        PENDING = "pending", "Pending"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sandbox_sessions"
    )
    instance_id = models.CharField(max_length=64)
    instance_type = models.CharField(max_length=64)
    availability_zone = models.CharField(max_length=64)
    aws_region = models.CharField(max_length=32)
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.DRY_RUN)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    aws_access_key_last4 = models.CharField(max_length=4)
    sealed_credentials = models.BinaryField(null=True, blank=True)
    credentials_expire_at = models.DateTimeField(null=True, blank=True)
    health_check_url = models.CharField(max_length=500, blank=True, default="")
    preferences = models.JSONField(default=dict)
    preflight_state = models.CharField(max_length=8, choices=Preflight, default=Preflight.PENDING)
    preflight_checks = models.JSONField(default=list)
    preflight_leased_until = models.DateTimeField(null=True, blank=True)
    cleanup_leased_until = models.DateTimeField(null=True, blank=True)
    stream_ticket = models.CharField(max_length=64, default=new_stream_ticket)
    # The AWS account of the credentials, set by the preflight.
    aws_account = models.CharField(max_length=12, blank=True, default="")
    # Zone id to zone name in the session's account: names differ between accounts.
    zone_names = models.JSONField(default=dict, blank=True)

    objects = SandboxSessionQuerySet.as_manager()
    preflights = PreflightQuerySet.as_manager()
    cleanups = CleanupQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["user", "state", "expires_at"], name="sandbox_session_active"),
            models.Index(fields=["state", "expires_at"], name="sandbox_session_overdue"),
        ]
        constraints = [
            models.CheckConstraint(
                name="sandbox_session_expires_after_creation",
                condition=Q(expires_at__gt=F("created_at")),
            ),
            models.CheckConstraint(
                name="sandbox_session_ended_at_says_when_it_ended",
                condition=Q(state="ended", ended_at__isnull=False)
                | (~Q(state="ended") & Q(ended_at=None)),
            ),
            models.CheckConstraint(
                name="sandbox_session_keeps_no_secret_once_ended",
                condition=~Q(state="ended") | Q(sealed_credentials=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} in {self.availability_zone}"

    @property
    def has_ended(self) -> bool:
        return self.state == self.State.ENDED

    def is_active(self, *, at: datetime) -> bool:
        return self.state == self.State.ACTIVE and self.expires_at > at
