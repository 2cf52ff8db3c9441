"""Read-only queries for models, configs and experiments."""

from uuid import UUID

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import User
from lab.models import ConfigChange, ExperimentLog, InstanceConfig, ModelRegistry, StageChange
from spot_optimizer.errors import Conflict, Missing

LONGEST_INSTANCE_ID = 64
NO_SUCH_MODEL = "There is no model with this id."


class ModelArchived(Conflict):
    code = "model_archived"


def get_model(model_id: UUID) -> ModelRegistry:
    """
    Return a registered model.

    :raises Missing: there is none with this id
    """
    model = ModelRegistry.objects.filter(pk=model_id).first()
    if model is None:
        raise Missing(NO_SUCH_MODEL)
    return model


def get_active_model(model_id: UUID) -> ModelRegistry:
    """
    Return a registered model that is not archived.

    :raises Missing: there is none with this id
    :raises ModelArchived: it is archived
    """
    model = get_model(model_id)
    check_not_archived(model)
    return model


def check_not_archived(model: ModelRegistry) -> None:
    """:raises ModelArchived: the model is archived."""
    if model.stage == ModelRegistry.Stage.ARCHIVED:
        raise ModelArchived(f"{model} is archived. Make it a challenger first, or choose another.")


def get_config(*, owner: User, instance_id: str) -> InstanceConfig:
    """Return the instance's config, or an unsaved one with the defaults."""
    stored = InstanceConfig.objects.filter(owner=owner, instance_id=instance_id)
    return stored.select_related("assigned_model").first() or InstanceConfig(
        owner=owner, instance_id=instance_id
    )


def get_own_config(*, owner: User, instance_id: str) -> InstanceConfig:
    """
    Return the config of an instance for which the owner has or had a session.

    :raises Missing: there is none
    """
    found = None
    if len(instance_id) <= LONGEST_INSTANCE_ID and "\0" not in instance_id:
        found = (
            InstanceConfig.objects.filter(owner=owner, instance_id=instance_id)
            .select_related("assigned_model")
            .first()
        )
    if found is None:
        raise Missing("You never had a session for this instance. Open one first.")
    return found


def experiments_of(config: InstanceConfig) -> QuerySet[ExperimentLog]:
    """Return an instance's experiments without their serialized inputs."""
    experiments = ExperimentLog.objects.filter(
        owner=config.owner_id, instance_id=config.instance_id
    )
    return experiments.defer("inputs")


def instances_of(owner: User) -> QuerySet[InstanceConfig]:
    """
    Return the owner's instances, the last evaluated first.

    Annotated with the number of ``experiments``, the newest's ``last_decision`` and ``last_at``.
    """
    newest = ExperimentLog.objects.filter(
        owner=OuterRef("owner"), instance_id=OuterRef("instance_id")
    ).order_by("-created_at", "-pk")
    counts = newest.order_by().values("instance_id").annotate(count=Count("pk")).values("count")
    return (
        InstanceConfig.objects.filter(owner=owner)
        .select_related("assigned_model")
        .annotate(
            experiments=Coalesce(Subquery(counts), 0),
            last_decision=Subquery(newest.values("decision")[:1]),
            last_at=Subquery(newest.values("created_at")[:1]),
        )
        .order_by(F("last_at").desc(nulls_last=True), "-updated_at", "pk")
    )


def stage_changes() -> QuerySet[StageChange]:
    return StageChange.objects.select_related("model", "by")


def changes_of(config: InstanceConfig) -> QuerySet[ConfigChange]:
    return ConfigChange.objects.filter(config=config).select_related("by")
