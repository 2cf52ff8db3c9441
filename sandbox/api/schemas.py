"""Serializers for the OpenAPI schema only: JSON that is stored and returned unchanged."""

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from sandbox.models import Evaluation
from streaming.models import Line

USD = "US dollars per hour."


@extend_schema_serializer(component_name="PreferencesShape")
class PreferencesSchema(serializers.Serializer):
    downtime_usd_per_hour = serializers.FloatField(help_text="The cost of one hour of downtime.")
    safety_gate = serializers.FloatField(help_text="The highest crash probability allowed.")
    advisor_filter = serializers.BooleanField()
    allow_smaller = serializers.BooleanField()
    auto_switch = serializers.BooleanField()


@extend_schema_serializer(component_name="CheckShape")
class CheckSchema(serializers.Serializer):
    name = serializers.CharField()
    status = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_serializer(component_name="FailureShape")
class FailureSchema(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_serializer(component_name="PoolShape")
class PoolSchema(serializers.Serializer):
    instance_type = serializers.CharField()
    availability_zone = serializers.CharField(help_text="Named as in the session's account.")
    availability_zone_id = serializers.CharField()
    purchase = serializers.ChoiceField(["spot", "on_demand"])
    vcpu = serializers.IntegerField()
    memory_gib = serializers.FloatField()
    price = serializers.FloatField(allow_null=True, help_text=USD)
    spot_price = serializers.FloatField(allow_null=True, help_text=USD)
    on_demand_price = serializers.FloatField(allow_null=True, help_text=USD)
    discount = serializers.FloatField(allow_null=True, help_text="0 to 1, below on-demand.")
    interruption_rate = serializers.CharField(allow_null=True, help_text="A month, by the Advisor.")
    crash_probability = serializers.FloatField(allow_null=True, help_text="Within one hour.")
    expected_cost = serializers.FloatField(
        allow_null=True, help_text=f"{USD} Includes risk and switching."
    )
    score = serializers.FloatField(allow_null=True)
    rejected_because = serializers.CharField(allow_null=True)
    would_win_if = serializers.CharField(allow_null=True)
    terms = serializers.DictField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="Terms whose sum is `expected_cost`.",
    )


@extend_schema_serializer(component_name="SavingsShape")
class SavingsSchema(serializers.Serializer):
    hourly = serializers.FloatField(allow_null=True)
    monthly = serializers.FloatField(allow_null=True, help_text="730 hours.")
    percent = serializers.FloatField(allow_null=True)


@extend_schema_serializer(component_name="CountsShape")
class CountsSchema(serializers.Serializer):
    considered = serializers.IntegerField()
    kept = serializers.IntegerField()
    rejected = serializers.DictField(child=serializers.IntegerField())


@extend_schema_serializer(component_name="StageShape")
class StageSchema(serializers.Serializer):
    stage = serializers.CharField()
    status = serializers.CharField()
    out = serializers.IntegerField()
    ms = serializers.FloatField()
    note = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        return super().get_fields() | {"in": serializers.IntegerField()}


@extend_schema_serializer(component_name="ModelShape")
class ModelSchema(serializers.Serializer):
    id = serializers.UUIDField(allow_null=True, help_text="Null for a local file.")
    name = serializers.CharField()
    version = serializers.CharField()


@extend_schema_serializer(component_name="FallbackShape")
class FallbackSchema(serializers.Serializer):
    wanted = ModelSchema(help_text="The assigned model, which could not be used.")
    reason = serializers.CharField()


@extend_schema_serializer(component_name="EvaluationShape")
class EvaluationSchema(serializers.Serializer):
    """Fields after `error` are null until it is decided; lines have neither of the two times."""

    evaluation_id = serializers.UUIDField()
    state = serializers.ChoiceField(Evaluation.State.choices)
    created_at = serializers.DateTimeField(required=False)
    settled_at = serializers.DateTimeField(required=False, allow_null=True)
    error = FailureSchema(allow_null=True)
    decision = serializers.ChoiceField(Evaluation.Decision.choices, required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_null=True)
    crash_probability = serializers.FloatField(required=False, allow_null=True)
    risk_horizon_hours = serializers.IntegerField(required=False, allow_null=True)
    aws_signal = serializers.ChoiceField(
        ["NONE", "REBALANCE", "TERMINATION"], required=False, allow_null=True
    )
    current = PoolSchema(required=False, allow_null=True)
    target = PoolSchema(required=False, allow_null=True)
    projected_savings = SavingsSchema(required=False, allow_null=True)
    candidates = PoolSchema(many=True, required=False, allow_null=True)
    counts = CountsSchema(required=False, allow_null=True)
    trace = StageSchema(many=True, required=False, allow_null=True)
    model = ModelSchema(required=False, allow_null=True)
    model_fallback = FallbackSchema(required=False, allow_null=True)
    market_as_of = serializers.DateTimeField(required=False, allow_null=True)
    pipeline_mode = serializers.CharField(required=False, allow_null=True)
    inputs_hash = serializers.CharField(required=False, allow_null=True)
    duration_ms = serializers.FloatField(required=False, allow_null=True)


@extend_schema_serializer(component_name="EvaluationWithPoolsShape")
class EvaluationWithPoolsSchema(EvaluationSchema):
    pools = PoolSchema(many=True, allow_null=True, help_text="All pools that were considered.")


@extend_schema_serializer(component_name="LineShape")
class LineSchema(serializers.Serializer):
    """The optional fields depend on `type`, as in WebSocket frames."""

    type = serializers.ChoiceField(Line.Type.choices)
    timestamp = serializers.DateTimeField()
    seq = serializers.IntegerField()
    log_type = serializers.CharField(required=False)
    level = serializers.CharField(required=False)
    stage = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    evaluation = EvaluationSchema(required=False)
    state = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)


@extend_schema_serializer(component_name="LinesShape")
class LinesSchema(serializers.Serializer):
    results = LineSchema(many=True)
    last_seq = serializers.IntegerField()
    has_more = serializers.BooleanField()


@extend_schema_field(PreferencesSchema)
class StoredPreferences(serializers.JSONField):
    pass


@extend_schema_field(CheckSchema(many=True))
class StoredChecks(serializers.JSONField):
    pass
