from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ModelRegistry(models.Model):
    """One version of an interruption-risk model: its artifact, metrics and lineage."""

    class Stage(models.TextChoices):
        CHAMPION = "champion", "Champion"
        CHALLENGER = "challenger", "Challenger"
        ARCHIVED = "archived", "Archived"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    version = models.CharField(max_length=50)
    description = models.TextField(blank=True, default="")
    stage = models.CharField(max_length=16, choices=Stage, default=Stage.CHALLENGER)
    artifact = models.CharField(max_length=500, help_text="The address of the JSON parameters.")
    sha256 = models.CharField(max_length=64)
    feature_names = models.JSONField(default=list)
    metrics = models.JSONField(default=dict, blank=True)
    lineage = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "model"
        constraints = [
            models.UniqueConstraint(
                fields=["name", "version"], name="lab_model_is_one_a_name_and_version"
            ),
            models.UniqueConstraint(
                fields=["stage"],
                condition=Q(stage="champion"),
                name="lab_model_has_one_champion",
            ),
            models.CheckConstraint(
                name="lab_model_stage_is_known",
                condition=Q(stage__in=["champion", "challenger", "archived"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Artifact(models.Model):
    """The bytes of a registered model. Those that ship with the platform are files instead."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256


class InstanceConfig(models.Model):
    """
    The settings of one owner for the evaluations of one instance.

    It is created with the owner's first session for the instance: the instances of a user are those
    with a config.
    """

    class PipelineMode(models.TextChoices):
        CLUSTER_FULL = "CLUSTER_FULL", "Cluster, full"
        SINGLE_LINEAR = "SINGLE_LINEAR", "Single, linear"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="instance_configs"
    )
    instance_id = models.CharField(max_length=64)
    aws_region = models.CharField(max_length=32, blank=True, default="")
    pipeline_mode = models.CharField(
        max_length=16, choices=PipelineMode, default=PipelineMode.CLUSTER_FULL
    )
    assigned_model = models.ForeignKey(
        ModelRegistry, null=True, blank=True, on_delete=models.PROTECT, related_name="assignments"
    )
    shadow = models.BooleanField(default=False)
    enable_bin_packing = models.BooleanField(default=False)
    enable_right_sizing = models.BooleanField(default=True)
    enable_family_stress = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "instance_id"], name="lab_config_is_one_an_owner_and_instance"
            ),
            models.CheckConstraint(
                name="lab_config_pipeline_mode_is_known",
                condition=Q(pipeline_mode__in=["CLUSTER_FULL", "SINGLE_LINEAR"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id}: {self.pipeline_mode}"


class StageChange(models.Model):
    """One change of a model's stage; never deleted."""

    model = models.ForeignKey(ModelRegistry, on_delete=models.PROTECT, related_name="stage_changes")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="lab_stage_change_changes_something", condition=~Q(before=F("after"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.before} to {self.after}"


class ConfigChange(models.Model):
    """One change of an instance's config: the changed fields before and after; never deleted."""

    config = models.ForeignKey(InstanceConfig, on_delete=models.PROTECT, related_name="changes")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.config.instance_id}: {', '.join(self.after)}"


class ExperimentLog(models.Model):
    """The decision of one evaluation, with its serialized inputs."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="experiments"
    )
    evaluation_id = models.UUIDField(unique=True)
    instance_id = models.CharField(max_length=64)
    model = models.ForeignKey(
        ModelRegistry,
        null=True,
        on_delete=models.PROTECT,
        related_name="experiments",
        help_text="None: a local file, named by RISK_MODEL_PATH.",
    )
    model_name = models.CharField(max_length=255, default="")
    model_version = models.CharField(max_length=50, default="")
    model_fallback = models.JSONField(
        null=True, help_text="The preferred model, and why another was used."
    )
    pipeline_mode = models.CharField(max_length=16)
    decision = models.CharField(max_length=8)
    numbers = models.JSONField(default=dict)
    inputs_hash = models.CharField(max_length=64)
    inputs = models.BinaryField(help_text="The serialized inputs of the engine, compressed.")
    milliseconds = models.JSONField(default=dict, help_text="By stage.")
    created_at = models.DateTimeField()
    restored_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was restored from an archive."
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                fields=["owner", "instance_id", "-created_at"], name="lab_experiment_newest"
            ),
            models.Index(fields=["created_at", "id"], name="lab_experiment_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id}: {self.decision}"


class Archive(models.Model):
    """One file of experiment logs. It is stored before the file is written."""

    class State(models.TextChoices):
        WRITING = "writing", "Being written: its rows are not deleted yet"
        FINISHED = "kept", "Finished: verified, and its rows deleted"
        DISCARDED = "discarded", "Discarded: its rows are archived in another file"

    name = models.CharField(max_length=255, unique=True, help_text="In the archive's storage.")
    state = models.CharField(max_length=16, choices=State, default=State.WRITING)
    rows = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    first_at = models.DateTimeField(help_text="Of the oldest experiment in it.")
    last_at = models.DateTimeField(help_text="Of the newest experiment in it.")
    created_at = models.DateTimeField()
    kept_at = models.DateTimeField(null=True)
    restored_at = models.DateTimeField(null=True, help_text="The last time.")

    class Meta:
        ordering = ["-first_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="lab_archive_state_is_known",
                condition=Q(state__in=["writing", "kept", "discarded"]),
            ),
            models.CheckConstraint(
                name="lab_archive_kept_at_says_when_it_was_kept",
                condition=Q(state="kept", kept_at__isnull=False)
                | (~Q(state="kept") & Q(kept_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.name
