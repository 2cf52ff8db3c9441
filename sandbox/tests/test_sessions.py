from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.testing import a_user, an_admin, signed_in
from sandbox import services, vault
from sandbox.cleanup import jobs as cleanup
from sandbox.models import SandboxAction, SandboxSession
from sandbox.session_limit import ActiveSessionLimit
from sandbox.testing import SECRET, a_session, an_evaluation
from streaming.models import Line

pytestmark = pytest.mark.django_db
SESSIONS = "/api/v1/sandbox/sessions"
KEY = "AKIAPLANTEDKEYOFNOBODY"


def a_body(**fields):
    return {
        "instance_id": "i-test-1",
        "instance_type": "c5.large",
        "availability_zone": "ap-south-1a",
        "aws_access_key": KEY,
        "aws_secret_key": SECRET,
        "aws_region": "ap-south-1",
    } | fields


class TestOpening:
    def test_returns_the_session(self):
        client = signed_in(a_user())

        response = client.post(SESSIONS, a_body(), format="json")

        assert response.status_code == 201
        session = response.json()
        assert session["state"] == "active"
        assert session["is_active"] is True
        assert session["mode"] == "dry_run"
        assert session["ended_at"] is None
        assert session["time_remaining_minutes"] == 120
        assert session["aws_access_key_last4"] == "BODY"
        assert session["preferences"] == {
            "downtime_usd_per_hour": 1.0,
            "safety_gate": 0.85,
            "advisor_filter": False,
            "allow_smaller": False,
            "auto_switch": False,
        }
        assert session["preflight"] == {"state": "pending", "checks": []}
        assert session["stream_url"].endswith(f"/api/v1/ws/sandbox/{session['session_id']}")
        assert session["stream_ticket"]
        assert session["created_at"].endswith("Z")

    def test_accepts_placeholder_keys_and_ids(self):
        client = signed_in(a_user())
        body = a_body(aws_access_key="AKIA...", aws_secret_key="...")

        codes = [
            client.post(SESSIONS, body | {"instance_id": f"i-test-{n}"}, format="json").status_code
            for n in range(1, 7)
        ]

        assert codes == [201, 201, 201, 201, 201, 429]

    def test_refuses_the_sixth_with_retry_after(self):
        user = a_user()
        for _ in range(5):
            a_session(user=user)

        response = signed_in(user).post(SESSIONS, a_body(), format="json")

        assert response.status_code == 429
        assert response.json()["code"] == "active_session_limit"
        assert (response.json()["limit"], response.json()["active"]) == (5, 5)
        assert int(response.headers["Retry-After"]) > 0

    def test_an_expired_session_does_not_count(self):
        user, now = a_user(), timezone.now()
        for _ in range(5):
            a_session(user=user, ttl_minutes=15, now=now - timedelta(minutes=16))

        assert signed_in(user).post(SESSIONS, a_body(), format="json").status_code == 201

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("instance_id", ""),
            ("instance_id", "i" * 65),
            ("instance_id", "i-\x00"),
            ("instance_id", None),
            ("instance_id", ["i-1"]),
            ("instance_type", {}),
            ("aws_region", "us-east-1.evil.example/#"),
            ("aws_region", "US"),
            ("mode", "wet_run"),
            ("ttl_minutes", 14),
            ("ttl_minutes", 481),
            ("ttl_minutes", "soon"),
            ("preferences", []),
            ("preferences", {"safty_gate": 0.5}),
            ("ttl_minutes", "٦٠"),
            ("instance_id", 5),
            ("aws_access_key", 5),
            ("preferences", {"safety_gate": 1.01}),
            ("preferences", {"safety_gate": "nan"}),
            ("preferences", {"safety_gate": True}),
            ("preferences", {"advisor_filter": "yes"}),
            ("preferences", {"downtime_usd_per_hour": -1}),
            ("health_check_url", "javascript:alert(1)"),
            ("credentials_expire_at", "tomorrow"),
            ("credentials_expire_at", "2026-01-01T00:00:00Z"),
        ],
    )
    def test_reports_the_invalid_field(self, field, value):
        response = signed_in(a_user()).post(SESSIONS, a_body(**{field: value}), format="json")

        assert response.status_code == 400
        assert response.json()["code"] in ("invalid", "malformed")
        assert response.json()["code"] == "malformed" or field in response.json()["errors"]
        assert not SandboxSession.objects.exists()

    def test_credentials_must_outlive_the_session_and_its_clean_up(self):
        client, now = signed_in(a_user()), timezone.now()
        early = (now + timedelta(minutes=30 + 14)).isoformat()
        late = (now + timedelta(minutes=30 + 16)).isoformat()

        refused = client.post(
            SESSIONS, a_body(ttl_minutes=30, credentials_expire_at=early), format="json"
        )
        opened = client.post(
            SESSIONS, a_body(ttl_minutes=30, credentials_expire_at=late), format="json"
        )

        assert refused.status_code == 400
        assert "newer credentials" in refused.json()["errors"]["credentials_expire_at"][0]
        assert opened.status_code == 201

    def test_requires_authentication(self, client):
        response = client.post(SESSIONS, a_body(), content_type="application/json")

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_seals_the_credentials(self):
        session = a_session()

        assert SECRET.encode() not in bytes(session.sealed_credentials)
        assert vault.unseal(session).secret_key == SECRET

    def test_keys_can_be_rotated_while_sessions_are_active(self, settings):
        session, ended = a_session(), a_session()
        services.end_session(session=ended, now=timezone.now())
        cleanup.clean_up(session_id=ended.pk, now=timezone.now())
        old = settings.ENCRYPTION_KEYS
        new = "bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0="

        settings.ENCRYPTION_KEYS = [new, *old]
        call_command("rotate_keys")
        settings.ENCRYPTION_KEYS = [new]

        session.refresh_from_db()
        assert vault.unseal(session).secret_key == SECRET
        settings.ENCRYPTION_KEYS = old
        with pytest.raises(vault.CredentialsGone):
            vault.unseal(session)


@pytest.mark.django_db(transaction=True)
def test_holds_the_limit_against_simultaneous_requests():
    user = a_user()

    def attempt(_):
        try:
            a_session(user=user)
        except ActiveSessionLimit:
            return "refused"
        finally:
            connection.close()
        return "opened"

    with ThreadPoolExecutor(max_workers=8) as pool:
        responses = list(pool.map(attempt, range(100)))

    assert (responses.count("opened"), responses.count("refused")) == (5, 95)
    assert SandboxSession.objects.active(at=timezone.now()).count() == 5
    user.refresh_from_db()
    assert user.active_sessions_count == 5


class TestReading:
    def test_lists_own_sessions_newest_first_in_pages(self):
        user = a_user()
        now = timezone.now()
        ids = [str(a_session(user=user, now=now + timedelta(seconds=n)).pk) for n in range(3)]
        a_session()

        first = signed_in(user).get(f"{SESSIONS}?limit=2").json()
        second = signed_in(user).get(first["next"]).json()

        assert [each["session_id"] for each in first["results"]] == [ids[2], ids[1]]
        assert [each["session_id"] for each in second["results"]] == [ids[0]]
        assert first["previous"] is None
        assert second["next"] is None

    def test_filters_by_active(self):
        user = a_user()
        ended = a_session(user=user)
        services.end_session(session=ended, now=timezone.now())
        active = a_session(user=user)

        def listed(which):
            rows = signed_in(user).get(f"{SESSIONS}?active={which}").json()["results"]
            return [row["session_id"] for row in rows]

        assert listed("true") == [str(active.pk)]
        assert listed("false") == [str(ended.pk)]
        assert signed_in(user).get(f"{SESSIONS}?active=maybe").status_code == 400

    @pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "", "1e2", "९"])
    def test_refuses_an_invalid_limit(self, limit):
        response = signed_in(a_user()).get(SESSIONS, {"limit": limit})

        assert response.status_code == 400
        assert response.json()["errors"].keys() == {"limit"}

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("role", ["user", "lab", "admin"])
    def test_another_users_is_not_found(self, role):
        session = a_session()
        evaluation = an_evaluation(session)
        client = signed_in(a_user(role))
        own = f"{SESSIONS}/{session.pk}"
        paths = ["", "/evaluations", f"/evaluations/{evaluation.pk}"]
        paths += ["/actions", "/logs", "/iam-policy"]

        responses = [client.get(own + path) for path in paths]
        responses += [client.delete(own), client.post(f"{own}/evaluate", {}, format="json")]

        assert {(each.status_code, each.json()["code"]) for each in responses} == {
            (404, "not_found")
        }
        session.refresh_from_db()
        assert session.state == "active"

    def test_returns_the_audit_trail(self):
        session = a_session()
        an_evaluation(session)

        rows = signed_in(session.user).get(f"{SESSIONS}/{session.pk}/actions").json()["results"]

        assert [row["action"] for row in rows] == ["evaluation_requested", "session_opened"]

    def test_the_policy_of_a_dry_run_allows_only_reads(self):
        session = a_session()

        policy = signed_in(session.user).get(f"{SESSIONS}/{session.pk}/iam-policy").json()

        actions = [action for each in policy["Statement"] for action in each["Action"]]
        assert actions
        assert all(a.split(":")[1].startswith(("Describe", "Get", "List")) for a in actions)


class TestLogs:
    def test_are_returned_in_order_after_the_given_seq(self):
        session = a_session()
        services.end_session(session=session, now=timezone.now())
        cleanup.clean_up(session_id=session.pk, now=timezone.now())
        client = signed_in(session.user)
        path = f"{SESSIONS}/{session.pk}/logs"

        all_lines = client.get(path).json()
        rest = client.get(f"{path}?after=2&limit=1").json()

        seqs = [line["seq"] for line in all_lines["results"]]
        assert seqs == list(range(1, all_lines["last_seq"] + 1))
        assert all_lines["results"][-1]["type"] == "session_ended"
        assert all_lines["has_more"] is False
        assert [line["seq"] for line in rest["results"]] == [3]
        assert rest["has_more"] is True

    @pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=0", "limit=1001"])
    def test_refuse_invalid_parameters(self, query):
        session = a_session()

        response = signed_in(session.user).get(f"{SESSIONS}/{session.pk}/logs?{query}")

        assert response.status_code == 400
        assert response.json()["code"] == "invalid"


class TestEnding:
    def test_moves_from_active_to_ended_and_erases_the_credentials(self):
        session = a_session()
        client = signed_in(session.user)

        ending = client.delete(f"{SESSIONS}/{session.pk}").json()
        again = client.delete(f"{SESSIONS}/{session.pk}").json()
        cleanup.clean_up(session_id=session.pk, now=timezone.now())
        cleanup.clean_up(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        assert (ending["state"], again["state"], session.state) == ("ending", "ending", "ended")
        assert session.sealed_credentials is None
        types = list(Line.objects.filter(stream=session.pk).values_list("type", flat=True))
        assert types.count("session_ended") == 1
        assert types[-1] == "session_ended"
        assert client.get(f"{SESSIONS}/{session.pk}").json()["time_remaining_minutes"] == 0

    @pytest.mark.django_db(transaction=True)
    def test_an_ended_session_refuses_evaluations(self):
        session = a_session()
        client = signed_in(session.user)
        client.delete(f"{SESSIONS}/{session.pk}")

        response = client.post(f"{SESSIONS}/{session.pk}/evaluate", {}, format="json")

        assert (response.status_code, response.json()["code"]) == (409, "session_ended")

    @pytest.mark.django_db(transaction=True)
    def test_an_expired_session_refuses_evaluations_before_any_sweep(self):
        session = a_session(ttl_minutes=15, now=timezone.now() - timedelta(minutes=15))

        response = signed_in(session.user).post(
            f"{SESSIONS}/{session.pk}/evaluate", {}, format="json"
        )

        assert (response.status_code, response.json()["code"]) == (409, "session_expired")

    def test_a_pending_evaluation_fails(self):
        session = a_session()
        evaluation = an_evaluation(session)
        services.end_session(session=session, now=timezone.now())

        cleanup.clean_up(session_id=session.pk, now=timezone.now())

        evaluation.refresh_from_db()
        assert evaluation.error["code"] == "session_ended"

    def test_the_database_refuses_a_secret_that_outlives_its_session(self):
        session = a_session()

        with pytest.raises(IntegrityError), transaction.atomic():
            SandboxSession.objects.filter(pk=session.pk).update(
                state="ended", ended_at=timezone.now()
            )

    def test_an_operator_ends_sessions_in_the_admin(self, client):
        session = a_session()
        client.force_login(an_admin())

        client.post(
            "/admin/sandbox/sandboxsession/",
            {"action": "end_now", "_selected_action": [str(session.pk)]},
        )

        session.refresh_from_db()
        assert session.state == "ending"
        assert SandboxAction.objects.filter(session=session, action="session_ending").exists()
