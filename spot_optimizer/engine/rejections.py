"""Why a candidate is rejected, as codes. The names are part of the API and never change."""

from collections.abc import Mapping

ACCEPTED = 0
REASONS = (
    "",  # accepted
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
