import json

import pytest

from spot_optimizer.aws.iam_policy import (
    CLEANUP_ACTIONS,
    COPY_READ_ACTIONS,
    MOVE_ACTIONS,
    READ_ACTIONS,
    iam_policy,
)


def a_policy(mode="live", region="us-east-1"):
    return iam_policy(
        mode=mode,
        instance_id="i-0123456789abcdef0",
        session_id="s-1",
        region=region,
        account="123456789012",
    )


def allowed(policy):
    return {
        action
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


def statements_about(policy, action):
    return [s for s in policy["Statement"] if action in s["Action"]]


def test_a_dry_run_grants_only_read_actions():
    policy = a_policy("dry_run")

    assert allowed(policy) == set(READ_ACTIONS)
    assert all(action.split(":")[1].startswith(("Describe", "Get")) for action in allowed(policy))


def test_a_move_grants_only_the_actions_of_a_move():
    assert allowed(a_policy()) == {
        *READ_ACTIONS,
        *COPY_READ_ACTIONS,
        *MOVE_ACTIONS,
        *CLEANUP_ACTIONS,
        "ec2:CreateTags",
    }


def test_no_action_contains_a_wildcard():
    assert not [action for action in allowed(a_policy()) if "*" in action]


def test_only_the_original_may_be_stopped():
    [statement] = statements_about(a_policy(), "ec2:StopInstances")

    assert statement["Resource"] == (
        "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
    )


def test_the_original_may_never_be_terminated():
    allow, deny = statements_about(a_policy(), "ec2:TerminateInstances")

    assert allow["Condition"] == {"StringEquals": {"aws:ResourceTag/spot-optimizer:session": "s-1"}}
    assert deny["Effect"] == "Deny"
    assert deny["Resource"].endswith("instance/i-0123456789abcdef0")


def test_created_resources_must_have_the_session_tag():
    launches = statements_about(a_policy(), "ec2:RunInstances")

    made = [s for s in launches if any("instance/*" in arn for arn in s["Resource"])]
    assert [s["Condition"] for s in made] == [
        {"StringEquals": {"aws:RequestTag/spot-optimizer:session": "s-1"}}
    ]


def test_tags_may_be_set_only_on_creation():
    [statement] = statements_about(a_policy(), "ec2:CreateTags")

    assert statement["Condition"] == {
        "StringEquals": {"ec2:CreateAction": ["CreateImage", "RunInstances"]}
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")],
)
def test_names_the_partition_of_the_region(region, partition):
    [statement] = statements_about(a_policy(region=region), "ec2:StopInstances")

    assert statement["Resource"].startswith(f"arn:{partition}:ec2:{region}:")


def test_fits_into_an_inline_user_policy():
    """IAM counts 2,048 characters for users' inline policies, without white space."""
    assert len(json.dumps(a_policy("dry_run"), separators=(",", ":"))) < 2048
