"""Researchers' use cases: register models, change their stage, assign them to instances."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from lab.models import Artifact, ConfigChange, InstanceConfig, ModelRegistry, StageChange
from lab.queries import NO_SUCH_MODEL, check_not_archived
from lab.registry.artifacts import ModelUnusable, load_registered, registration
from spot_optimizer.errors import Conflict, Invalid, Missing

Stage = ModelRegistry.Stage
Mode = InstanceConfig.PipelineMode
ALL_STAGES = {"enable_right_sizing": True, "enable_family_stress": True}


class UnsafeArtifact(Invalid):
    code = "unsafe_artifact"


class ModelExists(Conflict):
    code = "already_exists"


class ChampionNeeded(Conflict):
    code = "champion_needed"


class ModelAssigned(Conflict):
    code = "model_assigned"


def register_model(
    *,
    content: bytes,
    name: str,
    version: str,
    description: str = "",
    metrics: dict[str, Any] | None = None,
    lineage: dict[str, Any] | None = None,
    by: User | None,
    now: datetime,
) -> ModelRegistry:
    """
    Validate an artifact and register it as a challenger; an invalid one is not stored.

    :raises UnsafeArtifact: it is not a model that can be loaded without running code
    :raises ModelExists: this name and version is registered already
    """
    try:
        fields = registration(
            content=content,
            name=name,
            version=version,
            description=description,
            metrics=metrics or {},
            lineage=lineage or {},
            created_by=by,
            created_at=now,
        )
    except ModelUnusable as refusal:
        raise UnsafeArtifact(str(refusal)) from refusal
    try:
        with transaction.atomic():
            Artifact.objects.get_or_create(sha256=fields["sha256"], defaults={"content": content})
            return ModelRegistry.objects.create(**fields)
    except IntegrityError:
        if ModelRegistry.objects.filter(name=name, version=version).exists():
            raise ModelExists(f"{name} {version} is registered. Use another version.") from None
        raise


@transaction.atomic
def set_stage(*, model_id: UUID, stage: str, by: User | None, now: datetime) -> ModelRegistry:
    """
    Move a model to a stage; a promotion makes the previous champion a challenger.

    Moving a model to its current stage changes nothing.

    :raises Missing: there is no model with this id
    :raises ModelUnusable: it cannot be loaded, so it cannot be champion
    :raises ChampionNeeded: it is the champion; promote another one instead
    :raises ModelAssigned: it is assigned, so it cannot be archived
    """
    # Locks all rows in one order: concurrent promotions could demote the same champion.
    rows = ModelRegistry.objects.select_for_update(no_key=True).order_by("pk")
    model = next((row for row in rows if row.pk == model_id), None)
    if model is None:
        raise Missing(NO_SUCH_MODEL)
    if model.stage == stage:
        return model
    if model.stage == Stage.CHAMPION:
        raise ChampionNeeded(f"{model} is the champion. Promote another: that demotes this one.")
    if stage == Stage.CHAMPION:
        load_registered(model)
        for champion in ModelRegistry.objects.filter(stage=Stage.CHAMPION):
            _move(champion, Stage.CHALLENGER, by, now)
    if stage == Stage.ARCHIVED:
        _check_unassigned(model)
    _move(model, stage, by, now)
    return model


@transaction.atomic
def register_instance(*, owner: User, instance_id: str, aws_region: str, now: datetime) -> None:
    """Create the instance's config for the owner, or update its region."""
    config, _ = InstanceConfig.objects.get_or_create(
        owner=owner, instance_id=instance_id, defaults={"aws_region": aws_region}
    )
    _change(config, {"aws_region": aws_region}, owner, now)


@transaction.atomic
def assign_model(
    *, config: InstanceConfig, model: ModelRegistry, by: User, now: datetime
) -> InstanceConfig:
    """
    Assign a model to an instance, and switch it to the linear pipeline.

    :raises ModelArchived: the model is archived
    :raises ModelUnusable: the model cannot be loaded
    """
    model = _locked(model.pk)
    load_registered(model)
    fields = {"assigned_model_id": model.pk, "pipeline_mode": Mode.SINGLE_LINEAR}
    return _change(_locked_config(config), fields, by, now)


@transaction.atomic
def change_config(
    *, config: InstanceConfig, fields: dict[str, Any], by: User, now: datetime
) -> InstanceConfig:
    """
    Change an instance's config; omitted fields stay as they are.

    CLUSTER_FULL enables all stages and ends the assignment, except for fields given with it.

    :raises Missing: there is no model with the assigned id
    :raises ModelArchived: that model is archived
    :raises ModelUnusable: that model cannot be loaded
    """
    if fields.get("assigned_model_id") is not None:
        load_registered(_locked(fields["assigned_model_id"]))
    if fields.get("pipeline_mode") == Mode.CLUSTER_FULL:
        fields = {"assigned_model_id": None, **ALL_STAGES, **fields}
    return _change(_locked_config(config), fields, by, now)


def _move(model: ModelRegistry, stage: str, by: User | None, now: datetime) -> None:
    StageChange.objects.create(model=model, at=now, by=by, before=model.stage, after=stage)
    model.stage = stage
    model.save(update_fields=["stage"])


def _check_unassigned(model: ModelRegistry) -> None:
    count = InstanceConfig.objects.filter(assigned_model=model).count()
    if count:
        raise ModelAssigned(
            f"{model} is assigned to {count} instance{'s' if count > 1 else ''}. "
            "Assign others there first."
        )


def _locked(model_id: UUID) -> ModelRegistry:
    """Return the model, locked, so that it is not archived while it is assigned."""
    model = ModelRegistry.objects.select_for_update(no_key=True).filter(pk=model_id).first()
    if model is None:
        raise Missing(NO_SUCH_MODEL)
    check_not_archived(model)
    return model


def _locked_config(config: InstanceConfig) -> InstanceConfig:
    return InstanceConfig.objects.select_for_update(no_key=True).get(pk=config.pk)


def _change(
    config: InstanceConfig, fields: dict[str, Any], by: User, now: datetime
) -> InstanceConfig:
    """Write the fields that differ, and store the change."""
    before = {name: getattr(config, name) for name in fields}
    changed = {name: value for name, value in fields.items() if before[name] != value}
    if not changed:
        return config
    for name, value in changed.items():
        setattr(config, name, value)
    config.save(update_fields=[*changed, "updated_at"])
    ConfigChange.objects.create(
        config=config,
        at=now,
        by=by,
        before={name: _serializable(before[name]) for name in changed},
        after={name: _serializable(value) for name, value in changed.items()},
    )
    return config


def _serializable(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
