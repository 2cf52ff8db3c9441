"""
EC2 ``DescribeInstanceTypes``: sizes of instance types, and what an image needs to boot on them.

AWS accepts at most 100 names in a request, and returns at most 100 types per page.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline

PAGE_SIZE = 100


class TypeFacts(NamedTuple):
    """The facts of one instance type, the same in every region."""

    name: str
    vcpu: int
    memory_mib: int
    architectures: tuple[str, ...]
    accelerator: str | None  # such as "NVIDIA V100"
    accelerators: int  # their number
    local_storage_gb: float  # 0: EBS only
    bare_metal: bool
    burstable: bool
    ena: str  # "required", "supported" or "unsupported"
    nvme: str  # of EBS volumes: "required", "supported" or "unsupported"
    virtualization_types: tuple[str, ...]
    boot_modes: tuple[str, ...]
    usage_classes: tuple[str, ...]
    hypervisor: str  # empty for bare metal
    current_generation: bool
    network_interfaces: int  # the maximum


def instance_types_named(
    access: AwsAccess, names: Sequence[str], *, deadline: Deadline
) -> list[TypeFacts]:
    """
    Return the facts of these instance types.

    :raises AwsRefused: AWS returned an error: ``InvalidInstanceType`` for an unknown name
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    facts: list[TypeFacts] = []
    for start in range(0, len(names), PAGE_SIZE):
        request = {"InstanceTypes": list(names[start : start + PAGE_SIZE])}
        for page in _describe(access, request, deadline):
            facts += page
    return facts


def comparable_instance_types(
    access: AwsAccess, *, architecture: str, vcpus: Sequence[int], deadline: Deadline
) -> Iterator[list[TypeFacts]]:
    """
    Yield the region's types of this architecture and these vCPU counts, page by page.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    filters = {
        "processor-info.supported-architecture": [architecture],
        "vcpu-info.default-vcpus": [str(vcpu) for vcpu in vcpus],
    }
    request: dict[str, Any] = {
        "Filters": [{"Name": name, "Values": values} for name, values in filters.items()],
        "MaxResults": PAGE_SIZE,
    }
    return _describe(access, request, deadline)


def _describe(
    access: AwsAccess, request: Mapping[str, Any], deadline: Deadline
) -> Iterator[list[TypeFacts]]:
    return access.pages("ec2", "describe_instance_types", request, _parse, deadline=deadline)


def _parse(response: Mapping[str, Any]) -> list[TypeFacts]:
    return [_facts(item) for item in response["InstanceTypes"]]


def _facts(item: Mapping[str, Any]) -> TypeFacts:
    accelerator, accelerators = _accelerator(item)
    network = item.get("NetworkInfo", {})
    return TypeFacts(
        name=item["InstanceType"],
        vcpu=item["VCpuInfo"]["DefaultVCpus"],
        memory_mib=item["MemoryInfo"]["SizeInMiB"],
        architectures=tuple(item["ProcessorInfo"]["SupportedArchitectures"]),
        accelerator=accelerator,
        accelerators=accelerators,
        local_storage_gb=float(item.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)),
        bare_metal=item["BareMetal"],
        burstable=item["BurstablePerformanceSupported"],
        ena=network.get("EnaSupport", "unsupported"),
        nvme=item.get("EbsInfo", {}).get("NvmeSupport", "unsupported"),
        virtualization_types=tuple(item["SupportedVirtualizationTypes"]),
        boot_modes=tuple(item.get("SupportedBootModes", [])),
        usage_classes=tuple(item["SupportedUsageClasses"]),
        hypervisor=item.get("Hypervisor", ""),
        current_generation=item["CurrentGeneration"],
        network_interfaces=network.get("MaximumNetworkInterfaces", 0),
    )


# Where EC2 describes accelerators, in the order of preference.
ACCELERATORS = [
    ("GpuInfo", "Gpus"),
    ("NeuronInfo", "NeuronDevices"),
    ("InferenceAcceleratorInfo", "Accelerators"),
    ("FpgaInfo", "Fpgas"),
    ("MediaAcceleratorInfo", "Accelerators"),
]


def _accelerator(item: Mapping[str, Any]) -> tuple[str | None, int]:
    for info, key in ACCELERATORS:
        devices = item.get(info, {}).get(key, [])
        if not devices:
            continue
        first = devices[0]
        name = f"{first.get('Manufacturer', 'AWS')} {first.get('Name', '')}".strip()
        if count := sum(device.get("Count", 1) for device in devices):
            return name, count
        # A fraction of a GPU is not comparable to a whole one.
        return f"{name}, {first['GpuPartitionSize']:g} of one", first.get("LogicalGpuCount", 1)
    return None, 0
