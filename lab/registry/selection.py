"""Which risk model an evaluation uses, and what it falls back to."""

from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from lab.models import InstanceConfig, ModelRegistry
from lab.registry.artifacts import LoadedModel, ModelUnusable, load_file, load_registered


class ModelChoice(NamedTuple):
    """The chosen model; ``fallback`` names the preferred model and why it is not used."""

    model: LoadedModel
    fallback: dict[str, Any] | None = None


def model_for(config: InstanceConfig, *, requested: ModelRegistry | None = None) -> ModelChoice:
    """
    Choose the requested or assigned model, else RISK_MODEL_PATH, else the champion.

    A model that cannot be loaded is skipped, and ``fallback`` records it.

    :raises ModelUnusable: none of them can be loaded; the message has the reason for each
    """
    candidates = _candidates(requested or config.assigned_model)
    reasons: list[str] = []
    for candidate in candidates:
        try:
            model = _load(candidate)
        except ModelUnusable as refusal:
            reasons.append(str(refusal))
            continue
        if not reasons:
            return ModelChoice(model)
        fallback = {"wanted": _identity(candidates[0]), "reason": " ".join(reasons)}
        return ModelChoice(model, fallback)
    raise ModelUnusable(" ".join(reasons) or "No model is champion. Promote one in the registry.")


def _candidates(preferred: ModelRegistry | None) -> list[ModelRegistry | Path]:
    """Return the models to try in order; a path is a local file."""
    champion = ModelRegistry.objects.filter(stage=ModelRegistry.Stage.CHAMPION).first()
    local = Path(settings.RISK_MODEL_PATH) if settings.RISK_MODEL_PATH else None
    candidates = [preferred, local, None if champion == preferred else champion]
    return [candidate for candidate in candidates if candidate is not None]


def _load(candidate: ModelRegistry | Path) -> LoadedModel:
    if isinstance(candidate, Path):
        return load_file(str(candidate))
    return load_registered(candidate)


def _identity(candidate: ModelRegistry | Path) -> dict[str, str | None]:
    if isinstance(candidate, Path):
        return {"id": None, "name": candidate.stem, "version": "local"}
    return {"id": str(candidate.pk), "name": candidate.name, "version": candidate.version}
