from django.contrib import admin

from lab.models import Archive, ExperimentLog, InstanceConfig, ModelRegistry
from spot_optimizer.read_only import ReadOnlyAdmin


@admin.register(ModelRegistry)
class ModelRegistryAdmin(ReadOnlyAdmin):
    list_display = ["name", "version", "stage", "created_at", "created_by"]
    list_filter = ["stage", "name"]
    search_fields = ["name", "version", "sha256"]


@admin.register(InstanceConfig)
class InstanceConfigAdmin(ReadOnlyAdmin):
    list_display = ["instance_id", "owner", "pipeline_mode", "assigned_model", "updated_at"]
    list_filter = ["pipeline_mode"]
    search_fields = ["instance_id", "owner__email"]


@admin.register(ExperimentLog)
class ExperimentLogAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "instance_id", "decision", "model", "pipeline_mode", "owner"]
    list_filter = ["decision", "pipeline_mode"]
    search_fields = ["instance_id", "evaluation_id", "inputs_hash"]
    exclude = ["inputs"]
    date_hierarchy = "created_at"


@admin.register(Archive)
class ArchiveAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "rows", "first_at", "last_at", "kept_at", "restored_at"]
    list_filter = ["state"]
    search_fields = ["name", "sha256"]
    date_hierarchy = "first_at"
