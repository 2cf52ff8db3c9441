"""The smallest IAM policy that grants a session's permissions."""

from typing import Any

SESSION_TAG = "spot-optimizer:session"

# An evaluation makes only these calls.
READ_ACTIONS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
)
# A move makes these read calls as well.
COPY_READ_ACTIONS = (
    "ec2:DescribeAddresses",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
)
# A move launches a copy and stops the original. It never terminates the original.
MOVE_ACTIONS = ("ec2:CreateImage", "ec2:RunInstances", "ec2:StopInstances", "ec2:StartInstances")
CLEANUP_ACTIONS = (
    "ec2:CancelSpotInstanceRequests",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:TerminateInstances",
)
ACTIONS = frozenset(
    (*READ_ACTIONS, *COPY_READ_ACTIONS, *MOVE_ACTIONS, *CLEANUP_ACTIONS, "ec2:CreateTags")
)
# RunInstances is authorized for each of these resources. Those it creates must have the session's
# tag.
CREATED_BY_LAUNCH = ("instance", "volume", "network-interface", "spot-instances-request")
USED_BY_LAUNCH = ("subnet", "security-group", "key-pair")


def iam_policy(
    *, mode: str, instance_id: str, session_id: str, region: str, account: str = "*"
) -> dict[str, Any]:
    """Return the policy for one session: read calls for ``dry_run``, one move for ``live``."""
    statements = [_allow("Read", READ_ACTIONS, "*")]
    if mode == "live":
        statements += _move_statements(
            instance_id, session_id, f"arn:{_partition(region)}:ec2:{region}"
        )
    return {
        "Version": "2012-10-17",
        "Statement": [_with_account(statement, account) for statement in statements],
    }


def _move_statements(instance_id: str, session_id: str, ec2: str) -> list[dict[str, Any]]:
    original = f"{ec2}:ACCOUNT:instance/{instance_id}"
    images = [f"{ec2}::image/*", f"{ec2}::snapshot/*"]
    request_tag = {"StringEquals": {f"aws:RequestTag/{SESSION_TAG}": session_id}}
    resource_tag = {"StringEquals": {f"aws:ResourceTag/{SESSION_TAG}": session_id}}
    on_creation = {"StringEquals": {"ec2:CreateAction": ["CreateImage", "RunInstances"]}}
    created = [f"{ec2}:ACCOUNT:{kind}/*" for kind in CREATED_BY_LAUNCH]
    used = [f"{ec2}:ACCOUNT:{kind}/*" for kind in USED_BY_LAUNCH]
    return [
        _allow("ReadForCopy", COPY_READ_ACTIONS, "*"),
        _allow("ImageOriginal", ("ec2:CreateImage",), original),
        _allow("CreateTaggedImage", ("ec2:CreateImage",), images, request_tag),
        _allow("LaunchTaggedCopy", ("ec2:RunInstances",), created, request_tag),
        _allow("LaunchFromExisting", ("ec2:RunInstances",), [*used, *images]),
        _allow("TagOnCreation", ("ec2:CreateTags",), [*created, *images], on_creation),
        _allow("StopOriginal", ("ec2:StopInstances", "ec2:StartInstances"), original),
        _allow("CleanUp", CLEANUP_ACTIONS, "*", resource_tag),
        {
            "Sid": "NeverTerminateOriginal",
            "Effect": "Deny",
            "Action": ["ec2:TerminateInstances"],
            "Resource": original,
        },
    ]


def _allow(
    sid: str,
    actions: tuple[str, ...],
    resource: str | list[str],
    condition: dict[str, Any] | None = None,
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def _with_account(statement: dict[str, Any], account: str) -> dict[str, Any]:
    resource = statement["Resource"]
    arns = [arn.replace(":ACCOUNT:", f":{account}:") for arn in _as_list(resource)]
    return statement | {"Resource": arns if isinstance(resource, list) else arns[0]}


def _as_list(resource: str | list[str]) -> list[str]:
    return resource if isinstance(resource, list) else [resource]


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
