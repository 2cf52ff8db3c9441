from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from accounts.models import User
from sandbox.models import SandboxSession

OPENED = datetime(2026, 1, 15, 12, tzinfo=UTC)


def a_session(*, user: User | None = None, **fields: Any) -> SandboxSession:
    name = f"user-{uuid4().hex[:8]}"
    owner = user or User.objects.create(email=f"{name}@example.com", username=name)
    return SandboxSession.objects.create(
        user=owner,
        **{
            "instance_id": "i-test-1",
            "instance_type": "m5.large",
            "availability_zone": "us-east-1a",
            "aws_region": "us-east-1",
            "created_at": OPENED,
            "expires_at": OPENED + timedelta(hours=2),
            "aws_access_key_last4": "TEST",
            **fields,
        },
    )
