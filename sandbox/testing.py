"""Builders for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.utils import timezone

from accounts.models import User
from accounts.testing import a_user
from sandbox import services
from sandbox.api.serializers import PreferencesIn
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSession
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.instances import Instance
from streaming.models import Stream

OPENED = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECRET = "planted-secret-of-nobody-0123456789"  # noqa: S105  # opens nothing


def a_session(
    *,
    user: User | None = None,
    credentials: Credentials | None = None,
    ttl_minutes: int = 120,
    now: datetime | None = None,
    **fields: Any,
) -> SandboxSession:
    defaults = {
        "instance_id": "i-0123456789abcdef0",
        "instance_type": "m5.large",
        "availability_zone": "us-east-1a",
        "aws_region": "us-east-1",
        "preferences": PreferencesIn().to_internal_value({}),
    }
    return services.open_session(
        user=user or a_user(),
        credentials=credentials or Credentials("AKIAPLANTEDKEYOFNOBODY", SECRET),
        credentials_expire_at=None,
        ttl_minutes=ttl_minutes,
        now=now or timezone.now(),
        **defaults | fields,
    )


def an_emulated_session(emulator: Any, *, lifecycle: str = "spot", **fields: Any) -> SandboxSession:
    """Open a session for a running instance of the emulator."""
    instance = next(each for each in emulator.instances() if each["lifecycle"] == lifecycle)
    return a_session(
        credentials=Credentials(emulator.access_key, emulator.secret_key),
        instance_id=instance["instance_id"],
        instance_type=instance["instance_type"],
        availability_zone=instance["availability_zone"],
        aws_region=instance["region"],
        **fields,
    )


def an_evaluation(session: SandboxSession | None = None) -> Evaluation:
    return services.request_evaluation(session=session or a_session(), now=timezone.now())


def an_instance(**fields: Any) -> Instance:
    """Return the instance of ``a_session`` as AWS describes it, running."""
    defaults: dict[str, Any] = dict.fromkeys(Instance._fields) | {
        "instance_id": "i-0123456789abcdef0",
        "instance_type": "m5.large",
        "zone": "us-east-1a",
        "state": "running",
        "lifecycle": "spot",
    }
    return Instance(**defaults | fields)


def a_silent_session(*, user: User | None = None, **fields: Any) -> SandboxSession:
    """Create only the row of a session, without lines or tasks, for tests of streams."""
    defaults = {
        "instance_id": "i-test-1",
        "instance_type": "m5.large",
        "availability_zone": "us-east-1a",
        "aws_region": "us-east-1",
        "created_at": OPENED,
        "expires_at": OPENED + timedelta(hours=2),
        "aws_access_key_last4": "TEST",
    }
    return SandboxSession.objects.create(user=user or a_user(), **defaults | fields)


def fill_market(emulator: Any) -> None:
    """Fetch the market by an evaluation, and delete everything else it creates."""
    session = an_emulated_session(emulator)
    evaluations.evaluate(evaluation_id=an_evaluation(session).pk, now=timezone.now())
    Stream.objects.filter(pk=session.pk).delete()
    session.user.delete()


def forget_market() -> None:
    for model in reversed(list(apps.get_app_config("market").get_models())):
        model._default_manager.all().delete()
