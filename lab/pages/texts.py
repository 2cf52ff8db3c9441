"""The texts of a pipeline's status and a config's history."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lab.models import ConfigChange, InstanceConfig, ModelRegistry
from spot_optimizer.engine.stages import Stage

SWITCHES = {
    "enable_right_sizing": "Right-sizing",
    "enable_bin_packing": "Bin packing",
    "enable_family_stress": "Family stress",
}
FIELDS = {
    "pipeline_mode": "Pipeline",
    "assigned_model_id": "Model",
    "aws_region": "Region",
    "shadow": "Shadow",
    **SWITCHES,
}
MODES = {
    InstanceConfig.PipelineMode.CLUSTER_FULL: "Whole pipeline",
    InstanceConfig.PipelineMode.SINGLE_LINEAR: "Linear",
}
# Parts of stages that have their own switch, and the stage of each.
PARTS = {"family_stress": "risk", "bin_packing": "ranking"}
TITLES = {stage.value: stage.label for stage in Stage} | {
    part: SWITCHES[f"enable_{part}"] for part in PARTS
}
STATUSES = {
    "active": ("active", "good"),
    "disabled": ("off", ""),
    "by_session": ("by the session", "info"),
    "unusable": ("unusable", "bad"),
}


class Part(NamedTuple):
    title: str
    status: str
    tone: str
    description: str
    parts: "list[Part]"


class Change(NamedTuple):
    change: ConfigChange
    lines: list[str]


def stages_of(status: dict[str, Any]) -> list[Part]:
    """Return the stages of a pipeline's status in order, each with its parts."""
    return [
        _part(name, part, [_part(each, status[each]) for each, of in PARTS.items() if of == name])
        for name, part in status.items()
        if isinstance(part, dict) and name not in PARTS
    ]


def change_texts(changes: Sequence[ConfigChange]) -> list[Change]:
    """Return each change with one line per changed field."""
    names = _model_names(changes)
    return [Change(each, _lines(each, names)) for each in changes]


def _part(name: str, part: dict[str, Any], parts: "list[Part] | None" = None) -> Part:
    status, tone = STATUSES[part["status"]]
    return Part(TITLES[name], status, tone, part["description"], parts or [])


def _model_names(changes: Sequence[ConfigChange]) -> dict[str, str]:
    ids = {side.get("assigned_model_id") for each in changes for side in (each.before, each.after)}
    models = ModelRegistry.objects.filter(pk__in=ids - {None})
    return {str(model.pk): str(model) for model in models}


def _lines(change: ConfigChange, names: dict[str, str]) -> list[str]:
    # Sorted: PostgreSQL does not preserve the order of JSON keys, SQLite does.
    titles = sorted((FIELDS.get(field, field), field) for field in change.after)
    return [
        f"{title}: {_text(change.before[field], names)} → {_text(change.after[field], names)}"
        for title, field in titles
    ]


def _text(value: Any, names: dict[str, str]) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "the champion"
    return MODES.get(value) or names.get(value) or value or "not known"
