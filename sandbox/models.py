import json
import secrets
import zlib
from datetime import datetime
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from lab.models import ModelRegistry


def pack_pools(pools: list[dict[str, Any]]) -> bytes:
    """Return them by columns: half the work of pool by pool, and less to keep."""
    columns = {name: [pool[name] for pool in pools] for name in (pools[0] if pools else ())}
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), level=1)


def unpack_pools(packed: bytes | memoryview) -> list[dict[str, Any]]:
    columns = json.loads(zlib.decompress(packed))
    if isinstance(columns, list):  # the first versions packed pool by pool
        return columns
    return [dict(zip(columns, pool, strict=True)) for pool in zip(*columns.values(), strict=True)]


def new_stream_ticket() -> str:
    return secrets.token_urlsafe(24)


class SandboxSessionQuerySet(models.QuerySet["SandboxSession"]):
    def active(self, *, at: datetime) -> Self:
        return self.filter(state=SandboxSession.State.ACTIVE, expires_at__gt=at)

    def overdue(self, *, at: datetime) -> Self:
        return self.filter(state=SandboxSession.State.ACTIVE, expires_at__lte=at)

    def to_clean_up(self) -> Self:
        states = SandboxSession.State
        return self.filter(state__in=[states.EXPIRED, states.ENDING, states.CLEANUP_FAILED])

    def move(self, *, to: str, **fields: Any) -> bool:
        """Change the state of those that match; return whether there were any."""
        return bool(self.update(state=to, **fields))


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
    stream_ticket = models.CharField(max_length=64, default=new_stream_ticket)
    # Whose account the credentials are of, as the preflight found.
    aws_account = models.CharField(max_length=12, blank=True, default="")
    # Zone names differ by account: id to name, as AWS told this session's account.
    zone_names = models.JSONField(default=dict, blank=True)

    objects = SandboxSessionQuerySet.as_manager()

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


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def pending(self) -> Self:
        return self.filter(state=Evaluation.State.PENDING)

    def lease(self, *, until: datetime, now: datetime) -> bool:
        """Take the pending ones that nobody works on; return whether there were any."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        return bool(self.pending().filter(free).update(leased_until=until))

    def release(self, *, leased_until: datetime) -> None:
        """Give a lease of ours back before its time, so that the next run need not wait for it."""
        self.pending().filter(leased_until=leased_until).update(leased_until=None)

    def settle(self, *, leased_until: datetime | None, **outcome: Any) -> bool:
        """Write the outcome, if the lease is still ours; return whether it was."""
        return bool(self.pending().filter(leased_until=leased_until).update(**outcome))


class Evaluation(models.Model):
    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DECIDED = "decided", "Decided"
        FAILED = "failed", "Failed"

    class Decision(models.TextChoices):
        STAY = "STAY", "Stay"
        SWITCH = "SWITCH", "Switch"
        DRAIN = "DRAIN", "Drain"
        EVACUATE = "EVACUATE", "Evacuate"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    session = models.ForeignKey(
        SandboxSession, on_delete=models.CASCADE, related_name="evaluations"
    )
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    # The steps whose lines are published: a run that takes over says none of them again.
    told = models.JSONField(default=list, blank=True)
    requested_model = models.ForeignKey(
        ModelRegistry, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    error = models.JSONField(null=True, blank=True)
    decision = models.CharField(max_length=8, choices=Decision, blank=True, default="")
    # What the decision says, as the API answers it; pools beside it, because there are many.
    outcome = models.JSONField(null=True, blank=True)
    packed_pools = models.BinaryField(null=True, blank=True, editable=False)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="sandbox_evaluation_pending",
                condition=Q(state="pending"),
            )
        ]
        constraints = [
            models.CheckConstraint(
                name="sandbox_evaluation_decision_says_it_is_decided",
                condition=Q(state="decided", outcome__isnull=False)
                & Q(decision__in=["STAY", "SWITCH", "DRAIN", "EVACUATE"])
                | (~Q(state="decided") & Q(decision="", outcome=None)),
            ),
            models.CheckConstraint(
                name="sandbox_evaluation_error_says_it_failed",
                condition=Q(state="failed", error__isnull=False)
                | (~Q(state="failed") & Q(error=None)),
            ),
            models.CheckConstraint(
                name="sandbox_evaluation_settled_at_says_when",
                condition=Q(state="pending", settled_at=None)
                | (~Q(state="pending") & Q(settled_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.decision}".strip()

    @property
    def pools(self) -> list[dict[str, Any]]:
        """Every pool that was considered, with its verdict: half a megabyte before packing."""
        return unpack_pools(self.packed_pools) if self.packed_pools else []


class SandboxAction(models.Model):
    """The audit trail of a session, and the ledger of what was made in AWS for it."""

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


class SandboxSavings(models.Model):
    """What one evaluation projects to be saved. [USD]"""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    evaluation = models.OneToOneField(
        Evaluation, on_delete=models.CASCADE, related_name="projected_savings"
    )
    hourly = models.DecimalField(max_digits=14, decimal_places=6)
    monthly = models.DecimalField(max_digits=14, decimal_places=6)
    percent = models.DecimalField(max_digits=7, decimal_places=3)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "sandbox savings"

    def __str__(self) -> str:
        return f"{self.hourly} USD/h"


class ReceivedSignal(models.Model):
    """An EC2 event about an instance, as EventBridge brought it."""

    class Kind(models.TextChoices):
        REBALANCE = "REBALANCE", "Rebalance recommendation"
        TERMINATION = "TERMINATION", "Interruption notice"

    event_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=Kind)
    instance_id = models.CharField(max_length=64)
    aws_region = models.CharField(max_length=32)
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["instance_id", "-at"], name="sandbox_signal_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.instance_id}"
