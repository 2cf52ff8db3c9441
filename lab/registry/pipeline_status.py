"""What a config means to the pipeline."""

from typing import Any

from lab.models import InstanceConfig
from lab.queries import model_for
from lab.registry.artifacts import ModelUnusable
from spot_optimizer.engine.inputs import Stages

DESCRIPTIONS = {
    "input": "Takes every pool of the region that the market store knows a price of.",
    "hardware": "Drops the types that the machine's image cannot boot on.",
    "advisor": "Drops pools above the Spot Advisor band, where a session's advisor_filter is on.",
    "right_sizing": "Drops machines that are larger than needed.",
    "risk": "Asks the model how likely an interruption within the hour is.",
    "safety_gate": "Drops pools more likely to be interrupted than the session's safety_gate.",
    "ranking": "Orders the pools by what an hour is expected to cost.",
    "signal": "Lets an interruption notice or a rebalance recommendation decide.",
    "output": "Says the decision and why.",
}
BIN_PACKING = "Shares a larger machine's price among the copies it could host; a part of ranking."
FAMILY_STRESS = "Tells the model how strained the prices of a family are; a part of risk."


def stages_of(config: InstanceConfig) -> Stages:
    """Return the switches of the engine as a config sets them."""
    return Stages(
        pipeline_mode=config.pipeline_mode,
        enable_right_sizing=config.enable_right_sizing,
        enable_family_stress=config.enable_family_stress,
        enable_bin_packing=config.enable_bin_packing,
    )


def pipeline_status(config: InstanceConfig) -> dict[str, Any]:
    """
    Return what each stage of an instance's next evaluation will do.

    ``advisor`` and the height of ``safety_gate`` are each session's own preferences.
    """
    stages = stages_of(config)
    status = {name: _part("active", text) for name, text in DESCRIPTIONS.items()}
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


def _active(is_on: bool) -> str:  # noqa: FBT001  # the one thing it says
    return "active" if is_on else "disabled"


def _part(status: str, description: str) -> dict[str, Any]:
    return {"status": status, "description": description}


def _risk(config: InstanceConfig) -> dict[str, Any]:
    try:
        asked = model_for(config)
    except ModelUnusable as refusal:
        return _part("unusable", str(refusal)) | {"model": None, "model_fallback": None}
    return {"model": asked.model.named, "model_fallback": asked.fallback}
