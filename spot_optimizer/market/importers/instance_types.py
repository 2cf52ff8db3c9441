"""Importing the facts of instance types from a Parquet file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.ingest.instance_types import store_instance_types
from spot_optimizer.market.models import InstanceTypeFacts

# Types in the prices of earlier years that the file no longer contains.
FORMER_TYPES = Path(__file__).with_name("former_types.json")
DESCRIBED_AT = datetime(2026, 10, 1, tzinfo=UTC)


def import_instance_types(path: Path, *, advance: Advance) -> int:
    """
    Store the types that are not stored yet, as facts from AWS are newer; return the rows read.

    The file has no columns for network driver, volume driver and boot modes. They are derived from
    the hypervisor and the architecture. For a few types this understates what they support.
    """
    with pq.ParquetFile(path) as file:
        rows = file.read().to_pylist()
    facts = [_facts(row) for row in rows]
    facts += [_facts(row) for row in json.loads(FORMER_TYPES.read_text())]
    stored = set(InstanceTypeFacts.objects.values_list("name", flat=True))
    store_instance_types([row for row in facts if row.name not in stored], now=DESCRIBED_AT)
    advance(len(rows))
    return len(rows)


def _facts(row: dict[str, Any]) -> TypeFacts:
    architectures = tuple(row["architectures"].split(","))
    accelerator, accelerators = _accelerator(row)
    is_nitro = row["hypervisor"] != "xen"  # bare metal has Nitro devices without a hypervisor
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
        # A count of 0 means a fraction of a GPU, which is not comparable to a whole one.
        return (name, row["gpu_count"]) if row["gpu_count"] else (f"{name}, a share", 1)
    if row["accelerator_name"]:
        name = row["accelerator_name"]
        return (name if " " in name else f"AWS {name}"), max(1, row["accelerator_count"])
    return None, 0
