"""EC2 ``DescribeInstances``: the facts of one instance."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors
from spot_optimizer.errors import AwsRefused

BOOT_MODES = {"legacy-bios", "uefi"}  # "uefi-preferred" boots in both
LIFECYCLES = {"spot": "spot", "scheduled": "scheduled", "capacity-block": "capacity_block"}


class Instance(NamedTuple):
    """The facts of one instance that an evaluation and a preflight need."""

    instance_id: str
    instance_type: str
    zone: str  # its name in the account
    state: str
    lifecycle: str  # "spot", "on_demand", "scheduled" or "capacity_block"
    spot_request_id: str | None
    architecture: str
    virtualization_type: str
    boot_mode: str | None  # the only one it boots in; None: any
    ena_support: bool
    platform_details: str
    launch_time: datetime
    tenancy: str
    image_id: str
    subnet_id: str | None
    security_group_ids: tuple[str, ...]
    network_interfaces: int
    root_device_type: str
    auto_scaling_group: str | None
    tpm_support: str | None


def describe_instance(access: AwsAccess, instance_id: str, *, deadline: Deadline) -> Instance:
    """
    Return the facts of one instance.

    :raises AwsRefused: AWS returned an error: ``InvalidInstanceID.Malformed`` or
        ``InvalidInstanceID.NotFound`` if there is no such instance
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    with translated_errors(deadline):
        response = access.client("ec2").describe_instances(InstanceIds=[instance_id])
        instances = [
            instance
            for reservation in response["Reservations"]
            for instance in reservation["Instances"]
        ]
        if len(instances) == 1:
            return _instance(instances[0])
    raise AwsRefused(
        "AWS describes no instance with this ID. Check the ID and the region.",
        aws_code="InvalidInstanceID.NotFound",
    )


def _instance(item: Mapping[str, Any]) -> Instance:
    placement = item["Placement"]
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    return Instance(
        instance_id=item["InstanceId"],
        instance_type=item["InstanceType"],
        zone=placement["AvailabilityZone"],
        state=item["State"]["Name"],
        # EC2 leaves the field out for on-demand instances.
        lifecycle=LIFECYCLES.get(item.get("InstanceLifecycle", ""), "on_demand"),
        spot_request_id=item.get("SpotInstanceRequestId") or None,
        architecture=item["Architecture"],
        virtualization_type=item["VirtualizationType"],
        boot_mode=item["BootMode"] if item.get("BootMode") in BOOT_MODES else None,
        ena_support=bool(item.get("EnaSupport", False)),
        platform_details=_platform(item),
        launch_time=item["LaunchTime"],
        tenancy=placement.get("Tenancy", "default"),
        image_id=item["ImageId"],
        subnet_id=item.get("SubnetId"),
        security_group_ids=tuple(group["GroupId"] for group in item.get("SecurityGroups", [])),
        network_interfaces=len(item.get("NetworkInterfaces", [])),
        root_device_type=item.get("RootDeviceType", "ebs"),
        auto_scaling_group=tags.get("aws:autoscaling:groupName"),
        tpm_support=item.get("TpmSupport"),
    )


def _platform(item: Mapping[str, Any]) -> str:
    if "PlatformDetails" in item:
        return str(item["PlatformDetails"])
    return "Windows" if item.get("Platform") == "windows" else "Linux/UNIX"
