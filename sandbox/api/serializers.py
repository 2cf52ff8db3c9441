import math
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.serializers import Text
from sandbox.api.schemas import StoredChecks, StoredPreferences
from sandbox.models import Evaluation, ReceivedSignal, SandboxAction, SandboxSession
from spot_optimizer.api.fields import (
    Choice,
    FiniteFloat,
    HealthUrlField,
    Id,
    RegionField,
    StrictBoolean,
    WholeNumber,
)
from spot_optimizer.aws.client.credentials import Credentials

STREAM_PATH = "/api/v1/ws/sandbox/"
CREDENTIAL_FIELDS = {
    "aws_access_key": "access_key",
    "aws_secret_key": "secret_key",
    "aws_session_token": "session_token",
    "role_arn": "role_arn",
    "external_id": "external_id",
}
DETAIL_TYPES = {
    "EC2 Instance Rebalance Recommendation": ReceivedSignal.Kind.REBALANCE,
    "EC2 Spot Instance Interruption Warning": ReceivedSignal.Kind.TERMINATION,
}


class PreferencesIn(serializers.Serializer):
    downtime_usd_per_hour = FiniteFloat(min_value=0, max_value=1_000_000, default=1.0)
    safety_gate = FiniteFloat(min_value=0, max_value=1, default=0.85)
    advisor_filter = StrictBoolean(default=False)
    allow_smaller = StrictBoolean(default=False)
    auto_switch = StrictBoolean(default=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            message = f"Unknown preference. Valid preferences are: {', '.join(self.fields)}."
            raise serializers.ValidationError({name: [message] for name in unknown})
        fields: dict[str, Any] = super().to_internal_value(data)
        return fields


class SessionIn(serializers.Serializer):
    instance_id = Text(max_length=64)
    instance_type = Text(max_length=64)
    availability_zone = Text(max_length=64)
    aws_access_key = Text(max_length=128, trim_whitespace=True)
    aws_secret_key = Text(max_length=256, trim_whitespace=True)
    aws_region = RegionField()
    aws_session_token = Text(max_length=8192, required=False, allow_null=True)
    credentials_expire_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    role_arn = Text(max_length=2048, required=False, allow_null=True)
    external_id = Text(max_length=1224, required=False, allow_null=True)
    mode = Choice(SandboxSession.Mode.choices, default="dry_run")
    ttl_minutes = WholeNumber(min_value=15, max_value=480, default=120)
    health_check_url = HealthUrlField(max_length=500, required=False, allow_blank=True, default="")
    preferences = PreferencesIn(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``services.open_session``, with the keys as ``Credentials``."""
        attrs.setdefault("preferences", PreferencesIn().to_internal_value({}))
        keys = {name: attrs.pop(field, None) for field, name in CREDENTIAL_FIELDS.items()}
        return attrs | {"credentials": Credentials(**keys)}


class PreflightOut(serializers.Serializer):
    state = serializers.ChoiceField(SandboxSession.Preflight.choices, source="preflight_state")
    checks = StoredChecks(source="preflight_checks")


# Declared fields: ModelSerializer would derive them from the model again for every response.
class SessionOut(serializers.Serializer):
    session_id = serializers.UUIDField(source="id")
    instance_id = serializers.CharField(read_only=True)
    instance_type = serializers.CharField(read_only=True)
    availability_zone = serializers.CharField(read_only=True)
    aws_region = serializers.CharField(read_only=True)
    mode = serializers.ChoiceField(SandboxSession.Mode.choices, read_only=True)
    state = serializers.ChoiceField(SandboxSession.State.choices, read_only=True)
    is_active = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    time_remaining_minutes = serializers.SerializerMethodField()
    aws_access_key_last4 = serializers.CharField(read_only=True)
    preferences = StoredPreferences()
    stream_url = serializers.SerializerMethodField()
    stream_ticket = serializers.CharField(read_only=True)
    preflight = PreflightOut(source="*")

    def get_is_active(self, session: SandboxSession) -> bool:
        return session.is_active(at=timezone.now())

    def get_time_remaining_minutes(self, session: SandboxSession) -> int:
        if session.state != SandboxSession.State.ACTIVE:
            return 0
        remaining = (session.expires_at - timezone.now()).total_seconds()
        return max(0, math.ceil(remaining / 60))

    def get_stream_url(self, session: SandboxSession) -> str:
        return stream_url(session, self.context.get("request"))


def stream_url(session: SandboxSession, request: HttpRequest | Request | None) -> str:
    path = f"{STREAM_PATH}{session.pk}"
    # build_absolute_uri also returns the right scheme behind a proxy.
    return path if request is None else "ws" + request.build_absolute_uri(path)[len("http") :]


# The fields that a decision adds to an evaluation; null until there is one.
OUTCOME = (
    "decision",
    "reason",
    "crash_probability",
    "risk_horizon_hours",
    "aws_signal",
    "current",
    "target",
    "projected_savings",
    "candidates",
    "counts",
    "trace",
    "model",
    "model_fallback",
    "market_as_of",
    "pipeline_mode",
    "inputs_hash",
    "duration_ms",
)


class EvaluateIn(serializers.Serializer):
    model_id = Id(required=False, allow_null=True, default=None)


class EvaluationOut(serializers.ModelSerializer):
    """An evaluation; the fields of its outcome are stored as JSON and returned unchanged."""

    evaluation_id = serializers.UUIDField(source="id")

    class Meta:
        model = Evaluation
        fields = ["evaluation_id", "state", "created_at", "settled_at", "error"]

    def to_representation(self, instance: Evaluation) -> dict[str, Any]:
        undecided = dict.fromkeys(OUTCOME)
        return super().to_representation(instance) | (instance.outcome or undecided)


class EvaluationWithPoolsOut(EvaluationOut):
    class Meta(EvaluationOut.Meta):
        fields = [*EvaluationOut.Meta.fields, "pools"]


class ActionOut(serializers.ModelSerializer):
    action_id = serializers.UUIDField(source="id")

    class Meta:
        model = SandboxAction
        fields = [
            "action_id",
            "action",
            "status",
            "detail",
            "resource_type",
            "resource_id",
            "created_at",
            "completed_at",
        ]
        read_only_fields = fields


class EventDetailIn(serializers.Serializer):
    def get_fields(self) -> dict[str, serializers.Field]:
        return {"instance-id": Text(max_length=64)}


class EventIn(serializers.Serializer):
    """An EventBridge event about a spot instance, with AWS's field names."""

    id = Text(max_length=64)
    account = serializers.RegexField(r"\A[0-9]{12}\Z")
    region = Text(max_length=32)
    time = serializers.DateTimeField()
    detail = EventDetailIn()

    def get_fields(self) -> dict[str, serializers.Field]:
        return super().get_fields() | {"detail-type": Choice(list(DETAIL_TYPES))}
