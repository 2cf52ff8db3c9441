"""Which permissions are needed, as the smallest IAM policy that grants them."""

from typing import Any

SESSION_TAG = "spot-optimizer:session"

# An evaluation makes these calls and no others.
READ_ACTIONS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
)
# A move reads these as well.
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
# A move makes a copy and stops the original, which it never terminates.
MOVE_ACTIONS = ("ec2:CreateImage", "ec2:RunInstances", "ec2:StopInstances", "ec2:StartInstances")
CLEAN_UP_ACTIONS = (
    "ec2:CancelSpotInstanceRequests",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:TerminateInstances",
)
ACTIONS = frozenset(
    (*READ_ACTIONS, *COPY_READ_ACTIONS, *MOVE_ACTIONS, *CLEAN_UP_ACTIONS, "ec2:CreateTags")
)
# RunInstances is asked about each of these; what it makes must bear the session's tag.
MADE_BY_LAUNCH = ("instance", "volume", "network-interface", "spot-instances-request")
USED_BY_LAUNCH = ("subnet", "security-group", "key-pair")


def iam_policy(
    *, mode: str, instance_id: str, session_id: str, region: str, account: str = "*"
) -> dict[str, Any]:
    """Return the policy for one session: reading only for ``dry_run``, one move for ``live``."""
    statements = [_allow("Read", READ_ACTIONS, "*")]
    if mode == "live":
        statements += _move(instance_id, session_id, f"arn:{_partition(region)}:ec2:{region}")
    return {
        "Version": "2012-10-17",
        "Statement": [_of_account(statement, account) for statement in statements],
    }


def _move(instance_id: str, session_id: str, ec2: str) -> list[dict[str, Any]]:
    original = f"{ec2}:ACCOUNT:instance/{instance_id}"
    images = [f"{ec2}::image/*", f"{ec2}::snapshot/*"]
    made_here = {"StringEquals": {f"aws:RequestTag/{SESSION_TAG}": session_id}}
    ours = {"StringEquals": {f"aws:ResourceTag/{SESSION_TAG}": session_id}}
    tagging = {"StringEquals": {"ec2:CreateAction": ["CreateImage", "RunInstances"]}}
    made = [f"{ec2}:ACCOUNT:{kind}/*" for kind in MADE_BY_LAUNCH]
    used = [f"{ec2}:ACCOUNT:{kind}/*" for kind in USED_BY_LAUNCH]
    return [
        _allow("ReadWhatIsCopied", COPY_READ_ACTIONS, "*"),
        _allow("ImageTheOriginal", ("ec2:CreateImage",), original),
        _allow("KeepTheImage", ("ec2:CreateImage",), images, made_here),
        _allow("LaunchTheCopy", ("ec2:RunInstances",), made, made_here),
        _allow("LaunchFrom", ("ec2:RunInstances",), [*used, *images]),
        _allow("TagAtBirth", ("ec2:CreateTags",), [*made, *images], tagging),
        _allow("StopTheOriginal", ("ec2:StopInstances", "ec2:StartInstances"), original),
        _allow("CleanUp", CLEAN_UP_ACTIONS, "*", ours),
        {
            "Sid": "NeverTerminateTheOriginal",
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


def _of_account(statement: dict[str, Any], account: str) -> dict[str, Any]:
    resource = statement["Resource"]
    named = [arn.replace(":ACCOUNT:", f":{account}:") for arn in _listed(resource)]
    return statement | {"Resource": named if isinstance(resource, list) else named[0]}


def _listed(resource: str | list[str]) -> list[str]:
    return resource if isinstance(resource, list) else [resource]


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
