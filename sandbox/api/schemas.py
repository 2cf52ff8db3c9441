"""What is stored as JSON and answered as it is stored: its shape, for the schema alone."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sandbox.models import Evaluation
from streaming.models import Line

USD = "US dollars an hour."


class PreferencesShape(serializers.Serializer):
    downtime_usd_per_hour = serializers.FloatField(help_text="What an hour of downtime costs.")
    safety_gate = serializers.FloatField(help_text="The most that a crash probability may be.")
    advisor_filter = serializers.BooleanField()
    allow_smaller = serializers.BooleanField()
    auto_switch = serializers.BooleanField()


class CheckShape(serializers.Serializer):
    name = serializers.CharField()
    status = serializers.CharField()
    detail = serializers.CharField()


class FailureShape(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class PoolShape(serializers.Serializer):
    instance_type = serializers.CharField()
    availability_zone = serializers.CharField(help_text="The name in the session's account.")
    availability_zone_id = serializers.CharField()
    purchase = serializers.ChoiceField(["spot", "on_demand"])
    vcpu = serializers.IntegerField()
    memory_gib = serializers.FloatField()
    price = serializers.FloatField(allow_null=True, help_text=USD)
    spot_price = serializers.FloatField(allow_null=True, help_text=USD)
    on_demand_price = serializers.FloatField(allow_null=True, help_text=USD)
    discount = serializers.FloatField(allow_null=True, help_text="0 to 1, below on-demand.")
    interruption_rate = serializers.CharField(allow_null=True, help_text="A month, by AWS.")
    crash_probability = serializers.FloatField(allow_null=True, help_text="Within one hour.")
    expected_cost = serializers.FloatField(
        allow_null=True, help_text=f"{USD} With risk and switching."
    )
    score = serializers.FloatField(allow_null=True)
    rejected_because = serializers.CharField(allow_null=True)
    would_win_if = serializers.CharField(allow_null=True)
    terms = serializers.DictField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="Their sum is `expected_cost`.",
    )


class SavingsShape(serializers.Serializer):
    hourly = serializers.FloatField(allow_null=True)
    monthly = serializers.FloatField(allow_null=True, help_text="730 hours.")
    percent = serializers.FloatField(allow_null=True)


class CountsShape(serializers.Serializer):
    considered = serializers.IntegerField()
    kept = serializers.IntegerField()
    rejected = serializers.DictField(child=serializers.IntegerField())


class StageShape(serializers.Serializer):
    stage = serializers.CharField()
    status = serializers.CharField()
    out = serializers.IntegerField()
    ms = serializers.FloatField()
    note = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        return super().get_fields() | {"in": serializers.IntegerField()}


class ModelShape(serializers.Serializer):
    id = serializers.UUIDField(allow_null=True, help_text="Null: a local file.")
    name = serializers.CharField()
    version = serializers.CharField()


class FallbackShape(serializers.Serializer):
    wanted = ModelShape(help_text="The model that was due and cannot be used.")
    reason = serializers.CharField()


class EvaluationShape(serializers.Serializer):
    """What is behind `error` is null until it is decided; the two times are not in a line."""

    evaluation_id = serializers.UUIDField()
    state = serializers.ChoiceField(Evaluation.State.choices)
    created_at = serializers.DateTimeField(required=False)
    settled_at = serializers.DateTimeField(required=False, allow_null=True)
    error = FailureShape(allow_null=True)
    decision = serializers.ChoiceField(Evaluation.Decision.choices, required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_null=True)
    crash_probability = serializers.FloatField(required=False, allow_null=True)
    risk_horizon_hours = serializers.IntegerField(required=False, allow_null=True)
    aws_signal = serializers.ChoiceField(
        ["NONE", "REBALANCE", "TERMINATION"], required=False, allow_null=True
    )
    current = PoolShape(required=False, allow_null=True)
    target = PoolShape(required=False, allow_null=True)
    projected_savings = SavingsShape(required=False, allow_null=True)
    candidates = PoolShape(many=True, required=False, allow_null=True)
    counts = CountsShape(required=False, allow_null=True)
    trace = StageShape(many=True, required=False, allow_null=True)
    model = ModelShape(required=False, allow_null=True)
    model_fallback = FallbackShape(required=False, allow_null=True)
    market_as_of = serializers.DateTimeField(required=False, allow_null=True)
    pipeline_mode = serializers.CharField(required=False, allow_null=True)
    inputs_hash = serializers.CharField(required=False, allow_null=True)
    duration_ms = serializers.FloatField(required=False, allow_null=True)


class EvaluationWithPoolsShape(EvaluationShape):
    pools = PoolShape(many=True, allow_null=True, help_text="All that were considered.")


class LineShape(serializers.Serializer):
    """What else is there depends on `type`: see the WebSocket's frames."""

    type = serializers.ChoiceField(Line.Type.choices)
    timestamp = serializers.DateTimeField()
    seq = serializers.IntegerField()
    log_type = serializers.CharField(required=False)
    level = serializers.CharField(required=False)
    stage = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    evaluation = EvaluationShape(required=False)
    state = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)


class LinesShape(serializers.Serializer):
    results = LineShape(many=True)
    last_seq = serializers.IntegerField()
    has_more = serializers.BooleanField()


@extend_schema_field(PreferencesShape)
class StoredPreferences(serializers.JSONField):
    pass


@extend_schema_field(CheckShape(many=True))
class StoredChecks(serializers.JSONField):
    pass
