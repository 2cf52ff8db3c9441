from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import IsLab
from accounts.requests import UserRequest
from lab import queries, services
from lab.api import serializers
from lab.decisions.pipeline_status import pipeline_status
from lab.models import ModelRegistry
from spot_optimizer.api.pagination import NewestFirst, page_of
from spot_optimizer.api.parsers import validated
from spot_optimizer.api.schema import ErrorOut


class LabView(APIView):
    # All signed-in users read; researchers and admins write. (A docstring would be in the schema.)

    def get_permissions(self) -> list[Any]:
        if self.request.method in SAFE_METHODS:
            return [*super().get_permissions()]
        return [IsLab()]


class AssignModelView(LabView):
    @extend_schema(
        request=serializers.AssignIn,
        summary="Assign a model to an instance",
        responses={200: serializers.AssignedOut, 404: ErrorOut, 409: ErrorOut},
    )
    def post(self, request: UserRequest) -> Response:
        fields = validated(serializers.AssignIn, request.data)
        config = queries.get_own_config(owner=request.user, instance_id=fields["instance_id"])
        model = queries.get_model(fields["model_id"])
        services.assign_model(config=config, model=model, by=request.user, now=timezone.now())
        return Response(
            {
                "status": "updated",
                "mode": "Lab Experiment Active",
                "instance_id": config.instance_id,
                "model_id": str(model.pk),
            }
        )


class ModelsView(LabView):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="models_list",
        summary="List models, newest first",
        responses=serializers.ModelOut(many=True),
    )
    def get(self, request: UserRequest) -> Response:
        return page_of(self, ModelRegistry.objects.all(), serializers.ModelOut)


class ModelView(LabView):
    @extend_schema(summary="Get a model and its metrics", responses=serializers.ModelOut)
    def get(self, request: UserRequest, model_id: UUID) -> Response:
        return Response(serializers.ModelOut(queries.get_model(model_id)).data)


class StageView(LabView):
    @extend_schema(
        summary="Change the stage of a model",
        request=serializers.StageIn,
        responses=serializers.ModelOut,
    )
    def post(self, request: UserRequest, model_id: UUID) -> Response:
        stage = validated(serializers.StageIn, request.data)["stage"]
        model = services.set_stage(
            model_id=model_id, stage=stage, by=request.user, now=timezone.now()
        )
        return Response(serializers.ModelOut(model).data)


class PipelineStatusView(LabView):
    @extend_schema(
        summary="Get the stages of an instance's pipeline", responses=serializers.PipelineStatusOut
    )
    def get(self, request: UserRequest, instance_id: str) -> Response:
        config = queries.get_own_config(owner=request.user, instance_id=instance_id)
        return Response(serializers.PipelineStatusOut(pipeline_status(config)).data)


class ConfigView(LabView):
    @extend_schema(summary="Get an instance's config", responses=serializers.ConfigOut)
    def get(self, request: UserRequest, instance_id: str) -> Response:
        config = queries.get_own_config(owner=request.user, instance_id=instance_id)
        return Response(serializers.ConfigOut(config).data)

    @extend_schema(
        summary="Change an instance's config",
        request=serializers.ConfigIn,
        responses=serializers.ConfigOut,
    )
    def put(self, request: UserRequest, instance_id: str) -> Response:
        config = queries.get_own_config(owner=request.user, instance_id=instance_id)
        fields = validated(serializers.ConfigIn, request.data, instance_id=instance_id)
        config = services.change_config(
            config=config, fields=fields, by=request.user, now=timezone.now()
        )
        return Response(serializers.ConfigOut(config).data)


class ExperimentsView(LabView):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="experiments_list",
        summary="List an instance's experiments, newest first",
        responses=serializers.ExperimentOut(many=True),
    )
    def get(self, request: UserRequest, instance_id: str) -> Response:
        config = queries.get_own_config(owner=request.user, instance_id=instance_id)
        return page_of(self, queries.experiments_of(config), serializers.ExperimentOut)
