"""May these credentials do what they are here for? Asked without changing anything."""

from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import code_of, is_denial, refused, translated_errors
from spot_optimizer.aws.instances import Instance
from spot_optimizer.aws.policy import MOVE_ACTIONS, READ_ACTIONS, SESSION_TAG

WOULD_HAVE_WORKED = "DryRunOperation"


class Permission(NamedTuple):
    action: str
    is_granted: bool
    detail: str


def check_permissions(
    access: AwsAccess, *, mode: str, instance: Instance, session_id: str, deadline: Deadline
) -> list[Permission]:
    """
    Return, for each action that a session of this mode needs, whether it is granted.

    Everything is asked as a dry run, or as the cheapest read there is.

    :raises AwsRefused: AWS answered with an error that is about something else
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    actions = READ_ACTIONS + (MOVE_ACTIONS if mode == "live" else ())
    asked = _questions(instance, session_id)
    permissions = []
    for action in actions:
        with translated_errors(deadline):
            permissions.append(_permission(action, access, asked.get(action, {})))
    return permissions


def _permission(action: str, access: AwsAccess, question: dict[str, Any]) -> Permission:
    service, _, operation = action.partition(":")
    call = _call(access.client(service), operation)
    try:
        call(**(question if service == "pricing" else question | {"DryRun": True}))
    except ClientError as error:
        code = code_of(error)
        if is_denial(code):
            return Permission(action, is_granted=False, detail=str(refused(error)))
        if code != WOULD_HAVE_WORKED:
            raise
    return Permission(action, is_granted=True, detail=f"{action} is allowed.")


def _call(client: Any, operation: str) -> Callable[..., Any]:
    names: dict[str, str] = client.meta.method_to_api_mapping
    method = next(method for method, name in names.items() if name == operation)
    call: Callable[..., Any] = getattr(client, method)
    return call


def _questions(instance: Instance, session_id: str) -> dict[str, dict[str, Any]]:
    """Return what to ask with, for those actions that cannot be asked about with nothing."""
    tags = [{"Key": SESSION_TAG, "Value": session_id}]
    this = {"InstanceIds": [instance.instance_id]}
    return {
        "pricing:GetProducts": {"ServiceCode": "AmazonEC2", "MaxResults": 1},
        "ec2:CreateImage": {
            "InstanceId": instance.instance_id,
            "Name": f"spot-optimizer-{session_id}",
            "NoReboot": True,
            "TagSpecifications": _tagged(("image", "snapshot"), tags),
        },
        "ec2:RunInstances": {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            **_network(instance),
            "TagSpecifications": _tagged(("instance", "volume", "network-interface"), tags),
        },
        "ec2:StopInstances": this,
        "ec2:StartInstances": this,
    }


def _network(instance: Instance) -> dict[str, Any]:
    if instance.subnet_id is None:
        return {}
    return {
        "SubnetId": instance.subnet_id,
        "SecurityGroupIds": list(instance.security_group_ids),
    }


def _tagged(kinds: tuple[str, ...], tags: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tags} for kind in kinds]
