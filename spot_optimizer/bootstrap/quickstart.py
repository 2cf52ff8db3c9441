"""Reads the demo account that `manage.py quickstart` has written to its folder."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

FILE = "quickstart.json"  # in VAR_DIR, mode 0600


@dataclass(frozen=True, slots=True)
class Demo:
    """An account of the local AWS and its instances. Its keys are valid nowhere else."""

    access_key: str
    secret_key: str = field(repr=False)
    instances: tuple[dict[str, str], ...]


def demo() -> Demo | None:
    """Return the demo account, None if AWS is not the quickstart's own local AWS."""
    if settings.IS_PRODUCTION or not settings.AWS_ENDPOINT_URL:
        return None
    facts = _facts()
    if facts.get("aws_endpoint_url") != settings.AWS_ENDPOINT_URL:
        return None  # written by another start, or for another local AWS
    if not (facts.get("access_key") and facts.get("instances")):
        return None
    return Demo(facts["access_key"], facts["secret_key"], tuple(facts["instances"]))


def _facts() -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((settings.VAR_DIR / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return facts
