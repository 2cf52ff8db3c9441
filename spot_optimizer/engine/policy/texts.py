"""Why a row is rejected: stable names for programs, words for people."""

from collections.abc import Mapping

from spot_optimizer.engine.inputs import Preferences
from spot_optimizer.engine.market import InstanceType, Machine

OVERSIZE = 2.0  # times the machine's vCPU or memory
UNDERSIZE = 0.5  # of the machine's vCPU and memory, where smaller is allowed

KEPT = 0
REASONS = (
    "",  # kept
    "no_on_demand_price",
    "not_offered_as_spot",
    "architecture",
    "accelerator",
    "local_storage",
    "bare_metal",
    "burstable",
    "previous_generation",
    "network_driver",
    "storage_driver",
    "virtualization",
    "boot_mode",
    "fewer_vcpu",
    "less_memory",
    "advisor_band",
    "advisor_unlisted",
    "oversized",
    "risk_unknown",
    "safety_gate",
)
CODES: Mapping[str, int] = {reason: code for code, reason in enumerate(REASONS)}


def phrases(own: InstanceType, machine: Machine, preferences: Preferences) -> dict[str, str]:
    """Return for each reason the words that complete "12 …", with the numbers in force."""
    share = UNDERSIZE if preferences.allow_smaller else 1.0
    return {
        "no_on_demand_price": "without a known on-demand price",
        "not_offered_as_spot": "not offered as spot",
        "architecture": f"not {machine.architecture}",
        "accelerator": _other_accelerators(own),
        "local_storage": f"with less than {own.local_storage_gib:g} GiB of local storage",
        "bare_metal": "virtual where this is bare metal" if own.bare_metal else "bare metal",
        "burstable": "burstable",
        "previous_generation": "of a previous generation",
        "network_driver": "that need the ENA driver this image lacks",
        "storage_driver": "that need an NVMe driver this image is not known to have",
        "virtualization": f"that cannot run {machine.virtualization_type} images",
        "boot_mode": f"that cannot boot in {machine.boot_mode} mode",
        "fewer_vcpu": f"with fewer than {own.vcpu * share:g} vCPU",
        "less_memory": f"with less than {own.memory_gib * share:g} GiB",
        "advisor_band": "in Spot Advisor's worst band (over 20 % interrupted a month)",
        "advisor_unlisted": "not listed by Spot Advisor",
        "oversized": f"with more than {own.vcpu * OVERSIZE:g} vCPU "
        f"or {own.memory_gib * OVERSIZE:g} GiB",
        "risk_unknown": "of unknown risk",
        "safety_gate": "more likely to be interrupted within an hour "
        f"than {preferences.safety_gate:g}",
    }


def _other_accelerators(own: InstanceType) -> str:
    if own.accelerator is None:
        return "with accelerators, of which this machine has none"
    return f"without {own.accelerators} {own.accelerator}"
