"""Builds the engine's inputs: for evaluations, decisions on stored history, and backtests."""

from collections.abc import Mapping
from typing import Any

from lab.models import InstanceConfig
from lab.registry.artifacts import LoadedModel
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import Machine, Market


def build_inputs(
    *,
    machine: Machine,
    market: Market,
    config: InstanceConfig,
    preferences: Mapping[str, Any],
    signal: str,
    model: LoadedModel,
) -> Inputs:
    """
    Return the inputs of a decision.

    ``config`` sets the stages. ``preferences`` are a session's, as stored: missing ones have the
    engine's defaults, unknown ones are ignored.
    """
    known = {name: preferences[name] for name in Preferences._fields if name in preferences}
    return Inputs(
        machine=machine,
        market=market,
        preferences=Preferences(**known),
        stages=stages_of(config),
        costs=Costs(),
        signal=signal,
        model=model.model,
        model_ref=model.ref,
    )


def stages_of(config: InstanceConfig) -> Stages:
    """Return the stages that a config enables."""
    return Stages(
        pipeline_mode=config.pipeline_mode,
        enable_right_sizing=config.enable_right_sizing,
        enable_family_stress=config.enable_family_stress,
        enable_bin_packing=config.enable_bin_packing,
    )
