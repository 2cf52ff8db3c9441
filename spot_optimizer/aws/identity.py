"""STS ``GetCallerIdentity``: which account and principal the credentials belong to."""

from typing import NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors


class Identity(NamedTuple):
    account: str
    arn: str


def caller_identity(access: AwsAccess, *, deadline: Deadline) -> Identity:
    """
    Return the account and the user or role of the credentials. It needs no permission.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    with translated_errors(deadline):
        response = access.client("sts").get_caller_identity()
        return Identity(response["Account"], response["Arn"])
