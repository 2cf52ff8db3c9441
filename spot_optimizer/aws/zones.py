"""
EC2 ``DescribeAvailabilityZones``: zone names and zone ids.

A zone's name differs between accounts (us-east-1a), its id does not (use1-az1).
"""

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors


def zone_ids(access: AwsAccess, *, deadline: Deadline) -> dict[str, str]:
    """
    Return the id of each availability zone of the region, by the account's name of it.

    Local and wavelength zones are left out.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    with translated_errors(deadline):
        response = access.client("ec2").describe_availability_zones()
        return {
            zone["ZoneName"]: zone["ZoneId"]
            for zone in response["AvailabilityZones"]
            if zone.get("ZoneType", "availability-zone") == "availability-zone"
        }


def zone_names(access: AwsAccess, *, deadline: Deadline) -> dict[str, str]:
    """
    Return the account's name of each availability zone of the region, by zone id.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    return {zone_id: name for name, zone_id in zone_ids(access, deadline=deadline).items()}
