from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.api.serializers import Text
from lab.models import ExperimentLog, InstanceConfig, ModelRegistry
from spot_optimizer.api.fields import Choice, Id, RegionField, StrictBoolean


class AssignIn(serializers.Serializer):
    instance_id = Text(max_length=64)
    model_id = Id()


class AssignedOut(serializers.Serializer):
    status = serializers.CharField()
    mode = serializers.CharField()
    instance_id = serializers.CharField()
    model_id = serializers.UUIDField()


class StageIn(serializers.Serializer):
    stage = Choice(ModelRegistry.Stage.choices)


class ModelOut(serializers.ModelSerializer):
    model_id = serializers.UUIDField(source="id")

    class Meta:
        model = ModelRegistry
        fields = [
            "model_id",
            "name",
            "version",
            "description",
            "stage",
            "sha256",
            "feature_names",
            "metrics",
            "lineage",
            "created_at",
        ]


class ConfigIn(serializers.Serializer):
    """All fields are optional; the body of a GET response is valid input."""

    instance_id = Text(required=False)
    pipeline_mode = Choice(InstanceConfig.PipelineMode.choices, required=False)
    assigned_model_id = Id(required=False, allow_null=True)
    shadow = StrictBoolean(required=False)
    enable_bin_packing = StrictBoolean(required=False)
    enable_right_sizing = StrictBoolean(required=False)
    enable_family_stress = StrictBoolean(required=False)
    aws_region = RegionField(required=False)

    def validate_instance_id(self, given: str) -> str:
        if given != self.context["instance_id"]:
            raise serializers.ValidationError("It differs from the instance in the URL.")
        return given

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("instance_id", None)
        return attrs


class ConfigOut(serializers.ModelSerializer):
    assigned_model_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = InstanceConfig
        fields = [
            "instance_id",
            "pipeline_mode",
            "assigned_model_id",
            "shadow",
            "enable_bin_packing",
            "enable_right_sizing",
            "enable_family_stress",
            "aws_region",
            "updated_at",
        ]


@extend_schema_serializer(component_name="AskedOut")
class ExperimentModelOut(serializers.Serializer):
    """The model that an experiment used; a local file has no id."""

    id = serializers.UUIDField(source="model_id", allow_null=True)
    name = serializers.CharField(source="model_name")
    version = serializers.CharField(source="model_version")


class PartOut(serializers.Serializer):
    status = serializers.CharField(help_text="active, disabled, by_session or unusable")
    description = serializers.CharField()


class RiskPartOut(PartOut):
    model = serializers.JSONField(help_text="The model that will be used: id, name and version.")
    model_fallback = serializers.JSONField(help_text="The preferred model, and why it is not used.")


class PipelineStatusOut(serializers.Serializer):
    """Each stage in order, then the parts of stages that can be switched."""

    instance_id = serializers.CharField()
    pipeline_mode = serializers.ChoiceField(InstanceConfig.PipelineMode.choices)
    input = PartOut()
    hardware = PartOut()
    advisor = PartOut()
    right_sizing = PartOut()
    risk = RiskPartOut()
    safety_gate = PartOut()
    ranking = PartOut()
    signal = PartOut()
    output = PartOut()
    bin_packing = PartOut()
    family_stress = PartOut()


class ExperimentOut(serializers.ModelSerializer):
    experiment_id = serializers.UUIDField(source="id")
    model = ExperimentModelOut(source="*")

    class Meta:
        model = ExperimentLog
        fields = [
            "experiment_id",
            "evaluation_id",
            "instance_id",
            "model",
            "model_fallback",
            "pipeline_mode",
            "decision",
            "numbers",
            "inputs_hash",
            "milliseconds",
            "created_at",
        ]
