"""
EC2 ``DescribeSpotInstanceRequests``: whether AWS is about to interrupt a spot instance.

A request's status code changes at once, while its instance still runs for two minutes. Without an
agent on the instance, this is the only place where the interruption can be seen by polling.
"""

from typing import NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors

INTERRUPTED_STATUSES = {
    "marked-for-termination",
    "marked-for-stop",
    "marked-for-stop-by-experiment",
    "marked-for-termination-by-experiment",
    "instance-terminated-no-capacity",
    "instance-terminated-by-price",
    "instance-terminated-by-experiment",
    "instance-terminated-capacity-oversubscribed",
    "instance-terminated-launch-group-constraint",
    "instance-stopped-no-capacity",
    "instance-stopped-by-price",
    "instance-stopped-by-experiment",
    "instance-stopped-capacity-oversubscribed",
}


class Signal(NamedTuple):
    kind: str  # "NONE" or "TERMINATION"
    status_code: str  # of the spot request, as AWS returned it


def interruption_signal(access: AwsAccess, spot_request_id: str, *, deadline: Deadline) -> Signal:
    """
    Return whether the status of the spot request announces an interruption.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    with translated_errors(deadline):
        response = access.client("ec2").describe_spot_instance_requests(
            SpotInstanceRequestIds=[spot_request_id]
        )
        code = str(response["SpotInstanceRequests"][0]["Status"]["Code"])
    return Signal("TERMINATION" if code in INTERRUPTED_STATUSES else "NONE", code)
