"""The market of one region, its instance types, and the evaluated machine, as AWS states them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class InstanceType(NamedTuple):
    """The facts of one EC2 instance type, as AWS describes it."""

    name: str
    vcpu: int
    memory_gib: float
    architectures: tuple[str, ...]
    accelerator: str | None  # such as "NVIDIA V100"; None: no accelerator
    accelerators: int  # number of accelerators
    local_storage_gib: float  # 0: EBS only
    bare_metal: bool
    burstable: bool
    ena: str  # "required", "supported" or "unsupported"
    nvme_required: bool  # volumes appear as NVMe devices, as on Nitro
    virtualization_types: tuple[str, ...]
    boot_modes: tuple[str, ...]
    spot_supported: bool
    current_generation: bool  # older generations are slower per vCPU

    @property
    def family(self) -> str:
        """The part of the name before the dot: ``"m5"`` of ``"m5.large"``."""
        return self.name.partition(".")[0]


class Machine(NamedTuple):
    """The evaluated instance, as AWS describes it."""

    instance_type: str
    zone: str  # zone id
    purchase: str  # "spot" or "on_demand"
    architecture: str
    virtualization_type: str
    boot_mode: str | None  # None: the image boots in any mode
    ena_support: bool


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """
    One region at one moment, in columns: ``t`` instance types, ``n`` spot pools.

    The order of types, zones and pools has no meaning.
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
