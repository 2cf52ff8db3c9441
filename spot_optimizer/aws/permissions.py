"""
Check permissions without changing anything.

EC2 answers a request with ``DryRun`` with the error ``DryRunOperation`` if it would have succeeded.
The Price List has no dry run: one product is read instead.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import code_of, is_denial, refused, translated_errors
from spot_optimizer.aws.iam_policy import MOVE_ACTIONS, READ_ACTIONS, SESSION_TAG
from spot_optimizer.aws.instances import Instance

DRY_RUN_SUCCEEDED = "DryRunOperation"


class Permission(NamedTuple):
    action: str
    is_granted: bool
    detail: str


def check_permissions(
    access: AwsAccess, *, mode: str, instance: Instance, session_id: str, deadline: Deadline
) -> list[Permission]:
    """
    Return, for each action that a session of this mode needs, whether it is granted.

    :raises AwsRefused: AWS returned an error that is not about permissions
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    actions = READ_ACTIONS + (MOVE_ACTIONS if mode == "live" else ())
    parameters = _dry_run_parameters(instance, session_id)
    permissions = []
    for action in actions:
        with translated_errors(deadline):
            permissions.append(_permission(action, access, parameters.get(action, {})))
    return permissions


def _permission(action: str, access: AwsAccess, parameters: dict[str, Any]) -> Permission:
    service, _, operation = action.partition(":")
    dry_run = {} if service == "pricing" else {"DryRun": True}
    try:
        _method(access.client(service), operation)(**parameters, **dry_run)
    except ClientError as error:
        code = code_of(error)
        if is_denial(code):
            return Permission(action, is_granted=False, detail=str(refused(error)))
        if code != DRY_RUN_SUCCEEDED:
            raise
    return Permission(action, is_granted=True, detail=f"{action} is allowed.")


def _method(client: Any, operation: str) -> Callable[..., Any]:
    names: dict[str, str] = client.meta.method_to_api_mapping
    name = next(method for method, api_name in names.items() if api_name == operation)
    method: Callable[..., Any] = getattr(client, name)
    return method


def _dry_run_parameters(instance: Instance, session_id: str) -> dict[str, dict[str, Any]]:
    """Return the parameters of those actions that cannot be called without any."""
    tags = [{"Key": SESSION_TAG, "Value": session_id}]
    instances = {"InstanceIds": [instance.instance_id]}
    return {
        "pricing:GetProducts": {"ServiceCode": "AmazonEC2", "MaxResults": 1},
        "ec2:CreateImage": {
            "InstanceId": instance.instance_id,
            "Name": f"spot-optimizer-{session_id}",
            "NoReboot": True,
            "TagSpecifications": _tag_specifications(("image", "snapshot"), tags),
        },
        "ec2:RunInstances": {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            **_network(instance),
            "TagSpecifications": _tag_specifications(
                ("instance", "volume", "network-interface"), tags
            ),
        },
        "ec2:StopInstances": instances,
        "ec2:StartInstances": instances,
    }


def _network(instance: Instance) -> dict[str, Any]:
    if instance.subnet_id is None:
        return {}
    return {
        "SubnetId": instance.subnet_id,
        "SecurityGroupIds": list(instance.security_group_ids),
    }


def _tag_specifications(
    resource_types: tuple[str, ...], tags: list[dict[str, str]]
) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": tags} for resource_type in resource_types]
