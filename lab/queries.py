from uuid import UUID

from django.conf import settings

from accounts.models import User
from lab.artifacts import LoadedModel, ModelUnusable, load_file, load_registered
from lab.models import InstanceConfig, ModelRegistry
from spot_optimizer.errors import Missing


def get_model(model_id: UUID) -> ModelRegistry:
    """
    Return a registered model.

    :raises Missing: there is none with this id
    """
    model = ModelRegistry.objects.filter(pk=model_id).first()
    if model is None:
        raise Missing("There is no model with this id.")
    return model


def get_config(*, owner: User, instance_id: str) -> InstanceConfig:
    """Return how the owner wants the instance evaluated; where nothing is stored, the defaults."""
    stored = InstanceConfig.objects.filter(owner=owner, instance_id=instance_id)
    return stored.select_related("assigned_model").first() or InstanceConfig(
        owner=owner, instance_id=instance_id
    )


def model_for(config: InstanceConfig, *, requested: ModelRegistry | None = None) -> LoadedModel:
    """
    Return the model to ask: the requested one, the assigned one, RISK_MODEL_PATH, the champion.

    :raises ModelUnusable: the one that is due cannot be used; no other steps in for it
    """
    entry = requested or config.assigned_model
    if entry is None and settings.RISK_MODEL_PATH:
        return load_file(settings.RISK_MODEL_PATH)
    entry = entry or ModelRegistry.objects.filter(stage=ModelRegistry.Stage.CHAMPION).first()
    if entry is None:
        raise ModelUnusable("No model is champion. Promote one in the registry.")
    return load_registered(entry)
