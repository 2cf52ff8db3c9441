"""What instance types are, from a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.market import ingest
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.models import InstanceTypeFacts

# Types that the prices of earlier years tell of, and the file no longer does.
FORMER_TYPES = Path(__file__).with_name("former_types.json")
DESCRIBED_AT = datetime(2026, 10, 1, tzinfo=UTC)


def import_instance_types(path: Path, *, advance: Advance) -> int:
    """
    Store the types that are not known yet: what AWS said itself is newer. Return the rows read.

    The file is silent about network driver, volume driver and boot modes. They follow from the
    hypervisor and the architecture, as they do for every type that EC2 describes but a few, which
    are taken for less capable than they are.
    """
    with pq.ParquetFile(path) as file:
        rows = file.read().to_pylist()
    facts = [_facts(row) for row in rows]
    facts += [_facts(row) for row in json.loads(FORMER_TYPES.read_text())]
    known = set(InstanceTypeFacts.objects.values_list("name", flat=True))
    ingest.store_types([this for this in facts if this.name not in known], now=DESCRIBED_AT)
    advance(len(rows))
    return len(rows)


def _facts(row: dict[str, Any]) -> TypeFacts:
    architectures = tuple(row["architectures"].split(","))
    accelerator, accelerators = _accelerator(row)
    is_nitro = row["hypervisor"] != "xen"  # bare metal has Nitro's devices, and no hypervisor
    return TypeFacts(
        name=row["instance_type"],
        vcpu=row["vcpu"],
        memory_mib=row["memory_mib"],
        architectures=architectures,
        accelerator=accelerator,
        accelerators=accelerators,
        local_storage_gb=row["local_storage_gb"] or 0.0,
        bare_metal=row["bare_metal"],
        burstable=row["burstable"],
        ena="required" if is_nitro else "unsupported",
        nvme="required" if is_nitro else "unsupported",
        virtualization_types=tuple(row["virtualization"].split(",")),
        boot_modes=_boot_modes(architectures, row),
        usage_classes=("on-demand", "spot") if row["spot_supported"] else ("on-demand",),
        hypervisor=row["hypervisor"] or "",
        current_generation=row["current_generation"],
        network_interfaces=row["max_eni"],
    )


def _boot_modes(architectures: tuple[str, ...], row: dict[str, Any]) -> tuple[str, ...]:
    if "arm64" in architectures:
        return ("uefi",)
    if row["hypervisor"] == "nitro":
        return ("legacy-bios", "uefi")
    return ("legacy-bios",)


def _accelerator(row: dict[str, Any]) -> tuple[str | None, int]:
    if row["gpu_name"]:
        name = f"{row['gpu_manufacturer']} {row['gpu_name']}"
        # No whole one: a share, which is another accelerator.
        return (name, row["gpu_count"]) if row["gpu_count"] else (f"{name}, a share", 1)
    if row["accelerator_name"]:
        name = row["accelerator_name"]
        return (name if " " in name else f"AWS {name}"), max(1, row["accelerator_count"])
    return None, 0
