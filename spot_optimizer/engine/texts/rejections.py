"""The phrases for rejection reasons."""

from spot_optimizer.engine.filters import OVERSIZE, UNDERSIZE
from spot_optimizer.engine.inputs import Preferences
from spot_optimizer.engine.market import InstanceType, Machine


def reason_texts(own: InstanceType, machine: Machine, preferences: Preferences) -> dict[str, str]:
    """
    Return for each reason a phrase that follows a count, such as "12 burstable".

    Parameters
    ----------
    own : InstanceType
        The machine's own type, with whose size and parts candidates are compared.
    machine : Machine
    preferences : Preferences
        ``allow_smaller`` and ``safety_gate`` are used.

    Returns
    -------
    dict
        One phrase for each name in ``REASONS``, with the numbers in force.
    """
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
