"""What instance types are: sizes, and what a machine must be like to run on them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors

PAGE = 100  # AWS describes no more types at a time, named or not


class TypeFacts(NamedTuple):
    """The facts of one instance type, the same in every region."""

    name: str
    vcpu: int
    memory_mib: int
    architectures: tuple[str, ...]
    accelerator: str | None  # "NVIDIA V100"; None: it has none
    accelerators: int  # how many of them
    local_storage_gb: float  # 0: EBS only
    bare_metal: bool
    burstable: bool
    ena: str  # "required", "supported" or "unsupported"
    nvme: str  # of EBS volumes: "required", "supported" or "unsupported"
    virtualization_types: tuple[str, ...]
    boot_modes: tuple[str, ...]
    usage_classes: tuple[str, ...]
    hypervisor: str  # empty: none, it is bare metal
    current_generation: bool
    network_interfaces: int  # the most it takes


def types_named(access: AwsAccess, names: Sequence[str], *, deadline: Deadline) -> list[TypeFacts]:
    """
    Return the facts of these instance types.

    :raises AwsRefused: AWS answered with an error: ``InvalidInstanceType`` for an unknown name
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    facts: list[TypeFacts] = []
    for start in range(0, len(names), PAGE):
        facts += _page(access, {"InstanceTypes": list(names[start : start + PAGE])}, deadline)[0]
    return facts


def comparable_types(
    access: AwsAccess, *, architecture: str, vcpus: Sequence[int], deadline: Deadline
) -> Iterator[list[TypeFacts]]:
    """
    Yield the region's types of this architecture and these vCPU counts, page by page.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    wanted = {
        "processor-info.supported-architecture": [architecture],
        "vcpu-info.default-vcpus": [str(vcpu) for vcpu in vcpus],
    }
    asked: dict[str, Any] = {
        "Filters": [{"Name": name, "Values": values} for name, values in wanted.items()],
        "MaxResults": PAGE,
    }
    while True:
        facts, token = _page(access, asked, deadline)
        yield facts
        if not token:
            return
        asked["NextToken"] = token


def _page(
    access: AwsAccess, asked: Mapping[str, Any], deadline: Deadline
) -> tuple[list[TypeFacts], str]:
    with translated_errors(deadline):
        answer = access.client("ec2").describe_instance_types(**asked)
        return [_facts(item) for item in answer["InstanceTypes"]], answer.get("NextToken", "")


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


# Where EC2 tells of accelerators, the most telling one first.
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
        # A share of one is another accelerator than a whole one.
        return f"{name}, {first['GpuPartitionSize']:g} of one", first.get("LogicalGpuCount", 1)
    return None, 0
