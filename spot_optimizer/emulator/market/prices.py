"""The on-demand prices of instance types."""

from typing import Any

from spot_optimizer.emulator.market.fitted import family_rates

WINDOWS_LICENCE = 0.046  # [USD/h] for each vCPU


def on_demand_price(facts: dict[str, Any], region: str) -> float | None:
    """
    Return the hourly Linux price of a type, or None if its family has no known rate.

    ``facts`` are those of DescribeInstanceTypes. The price is
    ``(units · rate + GPUs · rate) · factor of the region``, to the 1/100,000 USD. [USD/h]
    """
    rates = family_rates().get(facts["InstanceType"].partition(".")[0])
    if rates is None or region not in rates.regions:
        return None
    units = facts["MemoryInfo"]["SizeInMiB"] / 1024 if rates.by_memory else vcpus(facts)
    price = (units * rates.per_unit + gpus(facts) * rates.per_gpu) * rates.regions[region]
    return round(price, 5)


def vcpus(facts: dict[str, Any]) -> int:
    return int(facts["VCpuInfo"]["DefaultVCpus"])


def gpus(facts: dict[str, Any]) -> int:
    """Return the number of accelerators of any kind."""
    kinds = (("GpuInfo", "Gpus"), ("InferenceAcceleratorInfo", "Accelerators"))
    neurons = facts.get("NeuronInfo", {}).get("NeuronDevices", [])
    known = [device for info, key in kinds for device in facts.get(info, {}).get(key, [])]
    return sum(int(device["Count"]) for device in known or neurons)


def windows_licence(facts: dict[str, Any]) -> float:
    """Return the hourly surcharge of Windows. [USD/h]"""
    return WINDOWS_LICENCE * vcpus(facts)
