"""Whose credentials are these?"""

from typing import NamedTuple

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors


class Identity(NamedTuple):
    account: str
    arn: str


def caller_identity(access: AwsAccess, *, deadline: Deadline) -> Identity:
    """
    Return the account and the user or role that AWS takes the credentials for.

    AWS asks for no permission to tell this.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    with translated_errors(deadline):
        answer = access.client("sts").get_caller_identity()
        return Identity(answer["Account"], answer["Arn"])
