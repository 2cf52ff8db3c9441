"""What the engine is told: instance types, a machine, a market, and what its owner wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spot_optimizer.engine.hazard.base import RiskModel


class InstanceType(NamedTuple):
    """The facts of one EC2 instance type, as AWS describes it."""

    name: str
    vcpu: int
    memory_gib: float
    architectures: tuple[str, ...]
    accelerator: str | None  # "NVIDIA V100"; None: it has none
    accelerators: int  # how many of them
    local_storage_gib: float  # 0: EBS only
    bare_metal: bool
    burstable: bool
    ena: str  # "required", "supported" or "unsupported"
    nvme_required: bool  # volumes appear as NVMe devices, as on Nitro
    virtualization_types: tuple[str, ...]
    boot_modes: tuple[str, ...]
    spot_supported: bool
    current_generation: bool  # AWS sells it as such; an older one is slower, vCPU by vCPU

    @property
    def family(self) -> str:
        """What stands before the dot: ``"m5"`` of ``"m5.large"``."""
        return self.name.partition(".")[0]


class Machine(NamedTuple):
    """The instance that is judged, as AWS describes it."""

    instance_type: str
    zone: str  # zone id
    purchase: str  # "spot" or "on_demand"
    architecture: str
    virtualization_type: str
    boot_mode: str | None  # None: the image names none and boots in any
    ena_support: bool


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """
    One region at one moment, in columns: ``t`` instance types, ``n`` spot pools.

    The order of types, zones and pools means nothing.
    """

    region: str
    as_of: str  # ISO 8601, UTC
    types: tuple[InstanceType, ...]
    on_demand_price: NDArray[np.float64]  # (t,) [USD/h], nan: unknown
    band: NDArray[np.int8]  # (t,) Spot Advisor's band 0…4, -1: not listed
    zones: tuple[str, ...]  # zone ids
    type_index: NDArray[np.intp]  # (n,) into types
    zone_index: NDArray[np.intp]  # (n,) into zones
    spot_price: NDArray[np.float64]  # (n,) [USD/h] in force at as_of
    low_7d: NDArray[np.float64]  # (n,) [USD/h] lowest of the 7 days before, nan: unknown
    high_7d: NDArray[np.float64]  # (n,) [USD/h] highest of the 7 days before, nan: unknown


class Preferences(NamedTuple):
    """What the owner of the machine wants."""

    downtime_usd_per_hour: float = 1.0  # what an hour of downtime is worth to them
    safety_gate: float = 0.85  # highest P(interruption within one hour) of a target
    advisor_filter: bool = False
    allow_smaller: bool = False


class Stages(NamedTuple):
    """Which stages of the pipeline work."""

    pipeline_mode: str = "CLUSTER_FULL"  # or "SINGLE_LINEAR"
    enable_right_sizing: bool = True
    enable_family_stress: bool = True
    enable_bin_packing: bool = False

    @property
    def right_sizes(self) -> bool:
        """Whether oversized machines are dropped."""
        return self.enable_right_sizing and self.pipeline_mode == "CLUSTER_FULL"

    @property
    def packs(self) -> bool:
        """Whether a larger machine's price is shared among the copies it could host."""
        return self.enable_bin_packing and self.pipeline_mode == "CLUSTER_FULL"


class Costs(NamedTuple):
    """How long the parts of a move and of an interruption take. [min]"""

    boot_minutes: float = 3.0
    double_run_minutes: float = 6.0
    cutover_downtime_minutes: float = 0.5
    restore_minutes: float = 2.0
    lost_work_minutes: float = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything a decision depends on, and nothing else."""

    machine: Machine
    market: Market
    preferences: Preferences
    stages: Stages
    costs: Costs
    signal: str  # "NONE", "REBALANCE" or "TERMINATION"
    model: RiskModel
    model_ref: str  # which model this is: name@version:sha, shown and hashed, never read
