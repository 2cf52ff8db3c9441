"""The preflight's checks and its runs; AWS is replaced by canned responses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sandbox import services
from sandbox.models import SandboxSession
from sandbox.preflight import checks
from sandbox.preflight import jobs as preflights
from sandbox.testing import a_session, an_instance
from spot_optimizer.aws.identity import Identity
from spot_optimizer.aws.permissions import Permission
from streaming.models import Line

pytestmark = pytest.mark.django_db
NOW = timezone.now()
ZONES = {"use1-az1": "us-east-1a"}


@pytest.fixture(autouse=True)
def respond(monkeypatch):
    """Let AWS grant all permissions, and describe the instance with the given fields."""

    def respond_with(**fields):
        instance = an_instance(**fields)
        monkeypatch.setattr(checks, "describe_instance", lambda *_, **__: instance)

    identity = Identity("123456789012", "arn:aws:iam::123456789012:user/a")
    granted = [Permission("ec2:DescribeInstances", is_granted=True, detail="")]
    monkeypatch.setattr(checks, "caller_identity", lambda *_, **__: identity)
    monkeypatch.setattr(checks, "zone_names", lambda *_, **__: ZONES)
    monkeypatch.setattr(checks, "check_permissions", lambda *_, **__: granted)
    respond_with()
    return respond_with


def checked(session, now=None):
    preflights.preflight(session_id=session.pk, now=now or timezone.now())
    return SandboxSession.objects.get(pk=session.pk)


def statuses(session):
    return {check["name"]: check["status"] for check in session.preflight_checks}


def messages(session):
    return [line.body.get("message", "") for line in Line.objects.filter(stream=session.pk)]


class TestChecks:
    def test_pass_if_the_instance_is_as_the_session_states(self):
        session = checked(a_session())

        assert session.preflight_state == "passed"
        assert set(statuses(session).values()) == {"passed"}
        assert (session.aws_account, session.zone_names) == ("123456789012", ZONES)

    @pytest.mark.parametrize(
        ("fields", "failed"),
        [
            ({"state": "stopped"}, "instance"),
            ({"state": "pending"}, "instance"),
            ({"instance_type": "m5.xlarge"}, "instance_type"),
            ({"zone": "us-east-1b"}, "availability_zone"),
        ],
    )
    def test_fail_if_the_instance_differs(self, respond, fields, failed):
        respond(**fields)

        session = checked(a_session())

        assert session.preflight_state == "failed"
        assert [name for name, status in statuses(session).items() if status != "passed"] == [
            failed
        ]


class TestRuns:
    def test_do_nothing_while_another_run_holds_the_lease(self):
        session = a_session()
        SandboxSession.objects.update(preflight_leased_until=NOW + timedelta(seconds=1))

        assert checked(session, NOW).preflight_state == "pending"

    def test_do_nothing_at_the_instant_of_the_sessions_expiry(self):
        session = a_session()

        assert checked(session, session.expires_at).preflight_state == "pending"

    def test_do_nothing_for_a_session_that_is_ending(self):
        session = a_session()
        services.end_session(session=session, now=timezone.now())

        assert checked(session).preflight_state == "pending"

    def test_publish_a_check_of_a_previous_run_only_if_it_changed(self, respond):
        respond(zone="us-east-1b")
        session = checked(a_session())
        published = len(messages(session))
        respond()
        SandboxSession.objects.update(preflight_state="pending", preflight_leased_until=None)

        checked(session)

        names = [message.split(":")[0] for message in messages(session)[published:]]
        assert names == ["availability_zone", "permissions", "Preflight passed"]

    def test_that_lost_their_lease_write_and_publish_nothing(self, monkeypatch):
        session = a_session()

        def respond_after_another_run_started(*_, **__):
            SandboxSession.objects.update(preflight_leased_until=NOW + timedelta(hours=1))
            return an_instance()

        monkeypatch.setattr(checks, "describe_instance", respond_after_another_run_started)

        checked(session, NOW)

        session.refresh_from_db()
        assert session.preflight_state == "pending"
        assert statuses(session) == {"credentials": "passed"}
        assert messages(session)[-1].startswith("credentials: passed")

    def test_about_to_be_stopped_release_their_lease(self):
        session = a_session()
        SandboxSession.objects.update(preflight_leased_until=NOW + timedelta(minutes=1))

        preflights.release_lease(session_id=str(session.pk))

        session.refresh_from_db()
        assert session.preflight_leased_until is None
