"""Is AWS about to take the instance away?"""

from typing import NamedTuple

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors

# A request's status changes at once, while its instance still runs for two minutes.
TAKEN_BACK = {
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
    status_code: str  # of the spot request, as AWS gave it


def interruption_signal(access: AwsAccess, spot_request_id: str, *, deadline: Deadline) -> Signal:
    """
    Return whether AWS has told that it takes this spot instance back.

    The status of its spot request is the only place to see this without an agent on the machine.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    with translated_errors(deadline):
        answer = access.client("ec2").describe_spot_instance_requests(
            SpotInstanceRequestIds=[spot_request_id]
        )
        code = str(answer["SpotInstanceRequests"][0]["Status"]["Code"])
    return Signal("TERMINATION" if code in TAKEN_BACK else "NONE", code)
