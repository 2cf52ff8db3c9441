"""The form for a new session."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from sandbox.api.serializers import SessionIn
from sandbox.models import SandboxSession
from spot_optimizer.aws.iam_policy import iam_policy
from spot_optimizer.bootstrap.quickstart import Demo
from spot_optimizer.dashboard.forms import ApiForm, Number, SecretTextInput, Text

LENGTHS = [
    ("30", "30 minutes"),
    ("60", "1 hour"),
    ("120", "2 hours"),
    ("240", "4 hours"),
    ("480", "8 hours"),
]
GROUPS = {
    "instance": ("instance_id", "instance_type", "availability_zone", "aws_region"),
    "credentials": (
        "aws_access_key",
        "aws_secret_key",
        "aws_session_token",
        "credentials_expire_at",
    ),
    "role": ("role_arn", "external_id"),
    "terms": ("mode", "ttl_minutes"),
    "preferences": (
        "downtime_usd_per_hour",
        "safety_gate",
        "advisor_filter",
        "allow_smaller",
    ),
}


class SessionForm(ApiForm):
    serializer = SessionIn

    instance_id = Text(
        label="Instance ID",
        placeholder="i-0123456789abcdef0",
        help_text="A running EC2 instance of yours, On-Demand or Spot.",
    )
    instance_type = Text(label="Instance type", placeholder="m5.large")
    availability_zone = Text(label="Availability Zone", placeholder="us-east-1a")
    aws_region = Text(label="Region", placeholder="us-east-1")
    aws_access_key = Text(
        label="Access key ID", widget=SecretTextInput, placeholder="ASIA… or AKIA…"
    )
    aws_secret_key = Text(label="Secret access key", widget=forms.PasswordInput)
    aws_session_token = Text(
        label="Session token",
        required=False,
        widget=forms.PasswordInput,
        help_text="Only with temporary keys (ASIA…), which are recommended.",
    )
    credentials_expire_at = Text(
        label="Keys expire at (UTC)",
        required=False,
        widget=forms.TextInput({"type": "datetime-local"}),
        help_text="Temporary keys must be valid for 15 minutes longer than the session.",
    )
    role_arn = Text(
        label="Role to assume",
        required=False,
        placeholder="arn:aws:iam::123456789012:role/name",
    )
    external_id = Text(label="External ID", required=False, widget=SecretTextInput)
    mode = Text(
        label="Mode",
        required=False,
        widget=forms.Select(choices=SandboxSession.Mode.choices),
        initial="dry_run",
        help_text="A dry run only reads. Live also verifies the permissions to move the instance.",
    )
    ttl_minutes = Text(
        label="Duration",
        required=False,
        widget=forms.Select(choices=LENGTHS),
        initial="120",
        help_text="Then the session ends and your keys are deleted.",
    )
    downtime_usd_per_hour = Number(
        label="Cost of one hour of downtime (USD)",
        required=False,
        initial="1.0",
        help_text="The higher the cost, the more weight the interruption risk has.",
    )
    safety_gate = Number(
        label="Safety gate",
        required=False,
        initial="0.85",
        help_text="The highest interruption probability within an hour, 0 to 1.",
    )
    advisor_filter = forms.BooleanField(
        label="Use the Spot Advisor filter",
        required=False,
        help_text="Exclude pools in the Spot Advisor's highest interruption band.",
    )
    allow_smaller = forms.BooleanField(
        label="Allow smaller instances",
        required=False,
        help_text="Down to half of the vCPUs and memory.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            # Initial keys are a demo's; what a user submits is never rendered back.
            if isinstance(field.widget, forms.PasswordInput):
                field.widget.render_value = not self.is_bound

    def add_prefix(self, field_name: str) -> str:
        return f"preferences.{field_name}" if field_name in GROUPS["preferences"] else field_name

    def body(self) -> dict[str, Any]:
        body = super().body()
        names = [name for name in GROUPS["preferences"] if name in body]
        return body | {"preferences": {name: body.pop(name) for name in names}}

    def groups(self) -> dict[str, list[BoundField]]:
        return {group: [self[name] for name in names] for group, names in GROUPS.items()}


def demo_values(instance: Mapping[str, str], demo: Demo) -> dict[str, str]:
    """Return the form's values for a demo instance, its account's keys included."""
    return {
        "instance_id": instance["instance_id"],
        "instance_type": instance["instance_type"],
        "availability_zone": instance["availability_zone"],
        "aws_region": instance["region"],
        "aws_access_key": demo.access_key,
        "aws_secret_key": demo.secret_key,
    }


def policies() -> dict[str, dict[str, Any]]:
    """Return the IAM policy for each mode, with placeholders for the session's values."""
    names = {"instance_id": "INSTANCE_ID", "session_id": "SESSION_ID", "region": "REGION"}
    return {mode: iam_policy(mode=mode, **names) for mode in SandboxSession.Mode.values}
