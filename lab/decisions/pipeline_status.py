"""The status of each pipeline stage under a config."""

from typing import Any

from lab.decisions.inputs import stages_of
from lab.models import InstanceConfig
from lab.registry.artifacts import ModelUnusable
from lab.registry.selection import model_for
from spot_optimizer.engine.stages import Stage

BIN_PACKING = "Divides a larger machine's price by the copies that it could host; part of ranking."
FAMILY_STRESS = "Passes the price stress of each family to the model; part of risk."


def pipeline_status(config: InstanceConfig) -> dict[str, Any]:
    """
    Return what each stage of an instance's next evaluation will do.

    ``advisor`` and the threshold of ``safety_gate`` are preferences of each session.
    """
    stages = stages_of(config)
    status = {stage.value: _part("active", stage.description) for stage in Stage}
    status["advisor"]["status"] = "by_session"
    status["right_sizing"]["status"] = _active(stages.right_sizing_on)
    status["risk"] |= _risk(config)
    return {
        "instance_id": config.instance_id,
        "pipeline_mode": config.pipeline_mode,
        **status,
        "bin_packing": _part(_active(stages.bin_packing_on), BIN_PACKING),
        "family_stress": _part(_active(stages.enable_family_stress), FAMILY_STRESS),
    }


def _active(is_on: bool) -> str:  # noqa: FBT001
    return "active" if is_on else "disabled"


def _part(status: str, description: str) -> dict[str, Any]:
    return {"status": status, "description": description}


def _risk(config: InstanceConfig) -> dict[str, Any]:
    try:
        choice = model_for(config)
    except ModelUnusable as refusal:
        return _part("unusable", str(refusal)) | {"model": None, "model_fallback": None}
    return {"model": choice.model.identity, "model_fallback": choice.fallback}
