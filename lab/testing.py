"""Builders for tests."""

import json
from itertools import count
from typing import Any

from accounts.models import User
from accounts.testing import a_user
from lab import services
from lab.models import InstanceConfig, ModelRegistry
from spot_optimizer.engine.hazard.advisor_prior import AdvisorPrior
from spot_optimizer.testing import NOON

INSTANCE = "i-0123456789abcdef0"
_versions = count(2)


def an_artifact(**parameters: Any) -> bytes:
    """Return the artifact of a prior with about twice the champion's shares."""
    prior = AdvisorPrior((0.05, 0.15, 0.25, 0.35, 0.6), 730.0, 1.0).artifact()
    prior["parameters"] |= parameters
    return json.dumps(prior).encode()


def a_challenger(*, content: bytes | None = None, **fields: Any) -> ModelRegistry:
    defaults = {"name": "advisor-prior", "version": f"test-{next(_versions)}"}
    return services.register_model(
        content=content or an_artifact(), by=None, now=NOON, **defaults | fields
    )


def a_config(*, owner: User | None = None, instance_id: str = INSTANCE) -> InstanceConfig:
    """Return the config of an instance for which the owner has had a session."""
    owner = owner or a_user()
    services.register_instance(
        owner=owner, instance_id=instance_id, aws_region="us-east-1", now=NOON
    )
    return InstanceConfig.objects.get(owner=owner, instance_id=instance_id)
