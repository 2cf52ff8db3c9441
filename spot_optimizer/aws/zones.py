"""Zones: names differ by account, ids are the same for all."""

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors


def zone_ids(access: AwsAccess, *, deadline: Deadline) -> dict[str, str]:
    """
    Return the id of each availability zone of the region, by the account's own name of it.

    Local and wavelength zones are left out.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    with translated_errors(deadline):
        answer = access.client("ec2").describe_availability_zones()
        return {
            zone["ZoneName"]: zone["ZoneId"]
            for zone in answer["AvailabilityZones"]
            if zone.get("ZoneType", "availability-zone") == "availability-zone"
        }


def zone_names(access: AwsAccess, *, deadline: Deadline) -> dict[str, str]:
    """
    Return the account's own name of each availability zone of the region, by zone id.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    return {zone_id: name for name, zone_id in zone_ids(access, deadline=deadline).items()}
