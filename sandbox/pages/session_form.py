"""The form for a new session: its questions, and how its answers become the API's body."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from sandbox.models import SandboxSession
from spot_optimizer.aws.iam_policy import iam_policy
from spot_optimizer.bootstrap.quickstart import Demo
from spot_optimizer.dashboard import forms
from spot_optimizer.dashboard.forms import Field

PREFERENCE = "preferences."  # what a preference's name begins with in the form

INSTANCE = (
    Field(
        "instance_id", "Instance id", is_required=True, placeholder="i-0123456789abcdef0",
        help="A running EC2 instance of yours, on demand or spot.",
    ),
    Field("instance_type", "Instance type", is_required=True, placeholder="m5.large"),
    Field("availability_zone", "Availability zone", is_required=True, placeholder="us-east-1a"),
    Field("aws_region", "Region", is_required=True, placeholder="us-east-1"),
)  # fmt: skip
CREDENTIALS = (
    Field(
        "aws_access_key", "Access key id", is_required=True, is_secret=True,
        placeholder="ASIA… or AKIA…",
    ),
    Field("aws_secret_key", "Secret access key", "password", is_required=True, is_secret=True),
    Field(
        "aws_session_token", "Session token", "password", is_secret=True,
        help="With temporary keys (ASIA…) only; those are the better ones.",
    ),
    Field(
        "credentials_expire_at", "Keys expire at (UTC)", "datetime-local",
        help="With temporary keys: they must outlive the session by 15 minutes.",
    ),
)  # fmt: skip
ROLE = (
    Field("role_arn", "Role to assume", placeholder="arn:aws:iam::123456789012:role/name"),
    Field("external_id", "External id", is_secret=True),
)
TERMS = (
    Field(
        "mode", "Mode", "select", choices=tuple(SandboxSession.Mode.choices), initial="dry_run",
        help="A dry run only reads. Live also proves the rights to move the instance.",
    ),
    Field(
        "ttl_minutes", "Length", "select", initial="120",
        choices=(("30", "30 minutes"), ("60", "1 hour"), ("120", "2 hours"), ("240", "4 hours"),
                 ("480", "8 hours")),
        help="Then the session ends by itself and your keys are erased.",
    ),
)  # fmt: skip
PREFERENCES = (
    Field(
        "preferences.downtime_usd_per_hour", "Cost of an hour of downtime (USD)", "number",
        initial="1.0", help="The higher, the more a risk of interruption counts.",
    ),
    Field(
        "preferences.safety_gate", "Safety gate", "number", initial="0.85",
        help="Pools likelier than this to be interrupted within an hour are out (0 to 1).",
    ),
    Field(
        "preferences.advisor_filter", "Use the Spot Advisor filter", "checkbox",
        help="Leave out pools that AWS itself calls often interrupted.",
    ),
    Field(
        "preferences.allow_smaller", "Allow smaller machines", "checkbox",
        help="Down to half of the vCPUs and memory.",
    ),
)  # fmt: skip
FIELDS = (*INSTANCE, *CREDENTIALS, *ROLE, *TERMS, *PREFERENCES)
GROUPS = {
    "instance": INSTANCE,
    "credentials": CREDENTIALS,
    "role": ROLE,
    "terms": TERMS,
    "preferences": PREFERENCES,
}


def body_of(form: QueryDict) -> dict[str, Any]:
    """Return the API's body for what was sent."""
    flat = forms.body_of(FIELDS, form)
    nested = {
        name.removeprefix(PREFERENCE): flat.pop(name)
        for name in list(flat)
        if name.startswith(PREFERENCE)
    }
    return flat | {"preferences": nested}


def shown(
    values: Mapping[str, Any], errors: Mapping[str, Sequence[str]], *, is_demo: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return each group of fields as its template takes them."""
    by_field = _by_field(errors)
    return {
        group: [
            field.shown(values, by_field.get(field.name, []), is_demo=is_demo) for field in fields
        ]
        for group, fields in GROUPS.items()
    }


def demo_values(instance: Mapping[str, str], demo: Demo) -> dict[str, str]:
    """Return the answers for a demo instance, its account's keys included."""
    return {
        "instance_id": instance["instance_id"],
        "instance_type": instance["instance_type"],
        "availability_zone": instance["availability_zone"],
        "aws_region": instance["region"],
        "aws_access_key": demo.access_key,
        "aws_secret_key": demo.secret_key,
    }


def policies() -> dict[str, dict[str, Any]]:
    """Return what to allow in each mode; a live session's own policy names its id."""
    names = {"instance_id": "INSTANCE_ID", "session_id": "SESSION_ID", "region": "REGION"}
    return {mode: iam_policy(mode=mode, **names) for mode in SandboxSession.Mode.values}


def _by_field(errors: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Bring what is said of a preference ("safety_gate: …") to its own field."""
    told: dict[str, list[str]] = {name: list(said) for name, said in errors.items()}
    for sentence in told.pop("preferences", []):
        name, _, rest = sentence.partition(": ")
        told.setdefault(PREFERENCE + name, []).append(rest or sentence)
    return told
