"""What may stand in a row's way, judged for every row alone: facts, size, Spot Advisor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Rows
from spot_optimizer.engine.market import InstanceType, Machine
from spot_optimizer.engine.policy.texts import CODES, KEPT, OVERSIZE, UNDERSIZE

Codes = NDArray[np.int8]  # into REASONS, one per row; 0: nothing in the way
WORST_BAND = 4


@dataclass(frozen=True, slots=True, eq=False)
class Screens:
    """Each row's verdict by each screen, whether or not the stage that uses it is on."""

    entry: Codes
    hardware: Codes
    smaller: NDArray[np.bool_]  # kept out by its size alone, and let in by allow_smaller
    advisor: Codes
    oversized: Codes


def screen(rows: Rows, machine: Machine, *, allow_smaller: bool) -> Screens:
    """Judge all rows by all screens."""
    facts = _facts(rows, machine)
    full, half = _undersized(rows, 1.0), _undersized(rows, UNDERSIZE)
    return Screens(
        entry=_entry(rows),
        hardware=np.where(facts != KEPT, facts, half if allow_smaller else full),
        smaller=(facts == KEPT) & (full != KEPT) & (half == KEPT) & (not allow_smaller),
        advisor=_advisor(rows),
        oversized=_codes(rows, oversized=_exceeds(rows, OVERSIZE)),
    )


def mismatch(kind: InstanceType, own: InstanceType, machine: Machine) -> str | None:
    """
    Return why a machine's image and work would not run on another type, size apart.

    Facts only: what AWS states of the type, the machine's own type and its image. Nothing says
    whether an image has an NVMe driver; one that runs on Nitro, or declares ENA, has.
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


def _boots(wanted: str, offered: tuple[str, ...]) -> bool:
    # an image that prefers UEFI boots in either mode
    return bool(offered) if wanted == "uefi-preferred" else wanted in offered


def _facts(rows: Rows, machine: Machine) -> Codes:
    own = rows.own_type
    by_type = [CODES[mismatch(kind, own, machine) or ""] for kind in rows.types]
    # the machine runs on its own type, whatever the facts say
    by_type[rows.type_index[rows.current]] = KEPT
    return np.array(by_type, dtype=np.int8)[rows.type_index]


def _undersized(rows: Rows, share: float) -> Codes:
    own = rows.own_type
    return _codes(
        rows,
        fewer_vcpu=rows.vcpu < own.vcpu * share,
        less_memory=rows.memory_gib < own.memory_gib * share,
    )


def _exceeds(rows: Rows, times: float) -> NDArray[np.bool_]:
    own = rows.own_type
    return (rows.vcpu > own.vcpu * times) | (rows.memory_gib > own.memory_gib * times)


def _entry(rows: Rows) -> Codes:
    offered = np.array([kind.spot_supported for kind in rows.types], dtype=bool)[rows.type_index]
    return _codes(
        rows,
        no_on_demand_price=np.isnan(rows.on_demand_price),
        not_offered_as_spot=rows.is_spot & ~offered,
    )


def _advisor(rows: Rows) -> Codes:
    return _codes(
        rows,
        advisor_band=rows.is_spot & (rows.band == WORST_BAND),
        advisor_unlisted=rows.is_spot & (rows.band < 0),
    )


def _codes(rows: Rows, **reasons: NDArray[np.bool_]) -> Codes:
    """Return for each row the first of the reasons that holds."""
    codes = np.zeros(len(rows), dtype=np.int8)
    for reason, holds in reversed(reasons.items()):
        codes[holds] = CODES[reason]
    return codes
