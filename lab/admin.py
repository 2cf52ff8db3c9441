from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from lab import services
from lab.models import (
    Archive,
    ConfigChange,
    ExperimentLog,
    InstanceConfig,
    ModelRegistry,
    StageChange,
)
from spot_optimizer.admin import ReadOnlyAdmin
from spot_optimizer.errors import DomainError


@admin.register(ModelRegistry)
class ModelRegistryAdmin(ReadOnlyAdmin):
    list_display = ["name", "version", "stage", "created_at", "created_by"]
    list_filter = ["stage", "name"]
    list_select_related = ["created_by"]
    search_fields = ["name", "version", "sha256"]
    actions = ["promote", "make_challenger", "archive"]

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    @admin.action(description="Promote the selected model to champion", permissions=["move"])
    def promote(self, request: HttpRequest, queryset: QuerySet[ModelRegistry]) -> None:
        if len(queryset) != 1:
            self.message_user(request, "Select one model to promote.", messages.ERROR)
            return
        self._move(request, queryset, services.Stage.CHAMPION)

    @admin.action(description="Make selected models challengers", permissions=["move"])
    def make_challenger(self, request: HttpRequest, queryset: QuerySet[ModelRegistry]) -> None:
        self._move(request, queryset, services.Stage.CHALLENGER)

    @admin.action(description="Archive selected models", permissions=["move"])
    def archive(self, request: HttpRequest, queryset: QuerySet[ModelRegistry]) -> None:
        self._move(request, queryset, services.Stage.ARCHIVED)

    def _move(self, request: HttpRequest, models: QuerySet[ModelRegistry], stage: str) -> None:
        by = request.user if isinstance(request.user, User) else None
        for model in models:
            try:
                services.set_stage(model_id=model.pk, stage=stage, by=by, now=timezone.now())
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, f"Now {stage}: {model}.", messages.SUCCESS)


@admin.register(StageChange)
class StageChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "model", "before", "after", "by"]
    list_filter = ["after", "model__name"]
    list_select_related = ["model", "by"]
    date_hierarchy = "at"


@admin.register(InstanceConfig)
class InstanceConfigAdmin(ReadOnlyAdmin):
    list_display = ["instance_id", "owner", "pipeline_mode", "assigned_model", "updated_at"]
    list_filter = ["pipeline_mode"]
    list_select_related = ["owner", "assigned_model"]
    search_fields = ["instance_id", "owner__email"]


@admin.register(ConfigChange)
class ConfigChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "config", "before", "after", "by"]
    list_select_related = ["config", "by"]
    search_fields = ["config__instance_id", "by__email"]
    date_hierarchy = "at"


@admin.register(ExperimentLog)
class ExperimentLogAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "instance_id", "decision", "model", "pipeline_mode", "owner"]
    list_filter = ["decision", "pipeline_mode"]
    list_select_related = ["model", "owner"]
    search_fields = ["instance_id", "evaluation_id", "inputs_hash"]
    exclude = ["inputs"]
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExperimentLog]:
        return super().get_queryset(request).defer("inputs")


@admin.register(Archive)
class ArchiveAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "rows", "first_at", "last_at", "kept_at", "restored_at"]
    list_filter = ["state"]
    search_fields = ["name", "sha256"]
    date_hierarchy = "first_at"
