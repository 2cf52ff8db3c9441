"""The filters: each judges every candidate on its own, by hardware, size or Advisor band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Candidates
from spot_optimizer.engine.market import InstanceType, Machine
from spot_optimizer.engine.rejections import ACCEPTED, CODES

Codes = NDArray[np.int8]  # (c,) into REASONS; 0: accepted
WORST_BAND = 4
OVERSIZE = 2.0  # times the machine's vCPU or memory
UNDERSIZE = 0.5  # of the machine's vCPU and memory, if smaller types are allowed


@dataclass(frozen=True, slots=True, eq=False)
class FilterResults:
    """Rejection codes of ``c`` candidates by stage, whether or not the stage is enabled."""

    input: Codes
    hardware: Codes
    advisor: Codes
    right_sizing: Codes
    only_too_small: NDArray[np.bool_]  # (c,) allow_smaller alone would pass the hardware stage


def apply_filters(
    candidates: Candidates, machine: Machine, *, allow_smaller: bool
) -> FilterResults:
    """
    Return the rejection codes of all filters.

    Parameters
    ----------
    candidates : Candidates, c candidates
    machine : Machine
        The evaluated machine; its own type always passes the hardware filter.
    allow_smaller : bool
        Whether half the machine's vCPU and memory is enough.

    Returns
    -------
    FilterResults
        Each column has shape (c,). If several reasons apply, the first in the order of
        ``REASONS`` within its stage is given.
    """
    facts = _hardware(candidates, machine)
    full, half = _too_small(candidates, 1.0), _too_small(candidates, UNDERSIZE)
    blocked_by_size = (facts == ACCEPTED) & (full != ACCEPTED) & (half == ACCEPTED)
    return FilterResults(
        input=_offer(candidates),
        hardware=np.where(facts != ACCEPTED, facts, half if allow_smaller else full),
        advisor=_advisor(candidates),
        right_sizing=_codes(candidates, oversized=_is_oversized(candidates)),
        only_too_small=blocked_by_size & (not allow_smaller),
    )


def mismatch(kind: InstanceType, own: InstanceType, machine: Machine) -> str | None:
    """
    Return the first hardware fact that keeps a machine's image and work from running on a type.

    Parameters
    ----------
    kind : InstanceType
        The type that is judged. vCPU and memory are not looked at.
    own : InstanceType
        The machine's own type.
    machine : Machine
        Architecture, virtualization, boot mode and ENA support of its image.

    Returns
    -------
    str or None
        A name in ``REASONS``; None: the type can run it.

    Notes
    -----
    Only facts that AWS states are used. AWS does not state whether an image has an NVMe driver:
    an image that already runs on Nitro, or that declares ENA support, is taken to have one.
    """
    if machine.architecture not in kind.architectures:
        return "architecture"
    if kind.accelerator != own.accelerator or kind.accelerators < own.accelerators:
        return "accelerator"
    if kind.local_storage_gib < own.local_storage_gib:
        return "local_storage"
    if kind.bare_metal != own.bare_metal:
        return "bare_metal"
    if kind.burstable and not own.burstable:
        return "burstable"
    if own.current_generation and not kind.current_generation:
        return "previous_generation"
    return _image_mismatch(kind, own, machine)


def _image_mismatch(kind: InstanceType, own: InstanceType, machine: Machine) -> str | None:
    if kind.ena == "required" and not machine.ena_support:
        return "network_driver"
    if kind.nvme_required and not (own.nvme_required or machine.ena_support):
        return "storage_driver"
    if machine.virtualization_type not in kind.virtualization_types:
        return "virtualization"
    if machine.boot_mode is not None and not _boots(machine.boot_mode, kind.boot_modes):
        return "boot_mode"
    return None


def _boots(boot_mode: str, supported: tuple[str, ...]) -> bool:
    # an image that prefers UEFI boots in either mode
    return bool(supported) if boot_mode == "uefi-preferred" else boot_mode in supported


def _hardware(candidates: Candidates, machine: Machine) -> Codes:
    own = candidates.own_type
    by_type = [CODES[mismatch(kind, own, machine) or ""] for kind in candidates.types]
    # the machine already runs on its own type, whatever the facts are
    by_type[candidates.type_index[candidates.current]] = ACCEPTED
    return np.array(by_type, dtype=np.int8)[candidates.type_index]


def _too_small(candidates: Candidates, share: float) -> Codes:
    own = candidates.own_type
    return _codes(
        candidates,
        fewer_vcpu=candidates.vcpu < own.vcpu * share,
        less_memory=candidates.memory_gib < own.memory_gib * share,
    )


def _is_oversized(candidates: Candidates) -> NDArray[np.bool_]:
    own = candidates.own_type
    more_vcpu = candidates.vcpu > own.vcpu * OVERSIZE
    return more_vcpu | (candidates.memory_gib > own.memory_gib * OVERSIZE)


def _offer(candidates: Candidates) -> Codes:
    offered = np.array([kind.spot_supported for kind in candidates.types], dtype=bool)
    return _codes(
        candidates,
        no_on_demand_price=np.isnan(candidates.on_demand_price),
        not_offered_as_spot=candidates.is_spot & ~offered[candidates.type_index],
    )


def _advisor(candidates: Candidates) -> Codes:
    return _codes(
        candidates,
        advisor_band=candidates.is_spot & (candidates.band == WORST_BAND),
        advisor_unlisted=candidates.is_spot & (candidates.band < 0),
    )


def _codes(candidates: Candidates, **reasons: NDArray[np.bool_]) -> Codes:
    """Return for each candidate the code of the first reason that applies."""
    codes = np.zeros(len(candidates), dtype=np.int8)
    for reason, applies in reversed(reasons.items()):
        codes[applies] = CODES[reason]
    return codes
