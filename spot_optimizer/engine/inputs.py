"""All inputs of a decision: machine, market, preferences, stages, costs, signal, model."""

from dataclasses import dataclass
from typing import NamedTuple

from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.engine.market import Machine, Market


class Preferences(NamedTuple):
    """The preferences of the machine's owner."""

    downtime_usd_per_hour: float = 1.0  # cost of an hour of downtime
    safety_gate: float = 0.85  # highest P(interruption within one hour) of a target
    advisor_filter: bool = False
    allow_smaller: bool = False


class Stages(NamedTuple):
    """Which optional parts of the pipeline are enabled."""

    pipeline_mode: str = "CLUSTER_FULL"  # or "SINGLE_LINEAR"
    enable_right_sizing: bool = True
    enable_family_stress: bool = True
    enable_bin_packing: bool = False

    @property
    def right_sizing_on(self) -> bool:
        """Whether oversized candidates are rejected."""
        return self.enable_right_sizing and self.pipeline_mode == "CLUSTER_FULL"

    @property
    def bin_packing_on(self) -> bool:
        """Whether a candidate's price is divided by the copies of the machine it could host."""
        return self.enable_bin_packing and self.pipeline_mode == "CLUSTER_FULL"


class Costs(NamedTuple):
    """The duration of each part of a move and of an interruption. [min]"""

    boot_minutes: float = 3.0
    double_run_minutes: float = 6.0
    cutover_downtime_minutes: float = 0.5
    restore_minutes: float = 2.0
    lost_work_minutes: float = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything that a decision depends on."""

    machine: Machine
    market: Market
    preferences: Preferences
    stages: Stages
    costs: Costs
    signal: str  # "NONE", "REBALANCE" or "TERMINATION"
    model: RiskModel
    model_ref: str  # name@version:sha of the model; displayed and hashed, not used
