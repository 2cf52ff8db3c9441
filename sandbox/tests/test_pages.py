"""The home page and the form for a new session, as a browser asks for them."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.testing import a_user
from sandbox import services
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.models import SandboxSession
from sandbox.testing import SECRET, a_session, an_emulated_session, an_evaluation
from sandbox.vault import unseal
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.dashboard.formats import usd

pytestmark = pytest.mark.django_db
KEY = "AKIAPLANTEDKEYOFNOBODY"
TOKEN = "planted-session-token"
ANSWERS = {
    "instance_id": "i-0123456789abcdef0",
    "instance_type": "m5.large",
    "availability_zone": "us-east-1a",
    "aws_region": "us-east-1",
    "aws_access_key": KEY,
    "aws_secret_key": SECRET,
    "mode": "dry_run",
    "ttl_minutes": "60",
    "preferences.downtime_usd_per_hour": "2.5",
    "preferences.safety_gate": "0.5",
}


@pytest.fixture
def user():
    return a_user()


@pytest.fixture
def client(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(answer) -> str:
    return answer.content.decode()


def seen(answer) -> str:
    """Return the words of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", text_of(answer)).split())


class TestHome:
    def test_redirects_to_sign_in(self):
        assert Client().get("/")["Location"] == "/sign-in?next=/"

    def test_shows_what_to_do_without_sessions(self, client):
        page = seen(client.get("/"))

        assert "Open a session for an EC2 instance." in page
        assert "New session with your keys" in page
        assert "demo" not in page.lower()

    def test_shows_active_sessions_with_the_time_left(self, client, user):
        session = a_session(user=user, ttl_minutes=90)

        answer = client.get("/")

        assert f'href="/sessions/{session.pk}"' in text_of(answer)
        assert f'datetime="{session.expires_at.isoformat()}"' in text_of(answer)
        assert "i-0123456789abcdef0" in seen(answer)
        assert "m5.large in us-east-1a Active" in seen(answer)
        assert re.search(r"1 hour, (29|30) minutes left", seen(answer))
        assert "Not evaluated yet." in seen(answer)

    def test_shows_nobody_elses_sessions(self, client):
        session = a_session(user=a_user())

        assert str(session.pk) not in text_of(client.get("/"))

    def test_shows_a_session_whose_time_is_over_as_expired(self, client, user):
        session = a_session(user=user, now=timezone.now() - timedelta(hours=3), ttl_minutes=60)

        page = seen(client.get("/"))

        assert session.state == "active"  # the sweep has not been there yet
        assert "No active sessions." in page
        assert "Recently ended" in page
        assert "Expired" in page

    def test_shows_ended_sessions(self, client, user):
        session = a_session(user=user)
        services.end_session(session=session, now=timezone.now())
        ending = seen(client.get("/"))
        cleanup.clean_up(session_id=session.pk, now=timezone.now())
        ended = seen(client.get("/"))

        assert "Ending" in ending
        assert "Ended" in ended

    def test_shows_the_last_decision_and_what_it_saves(self, client, user, market):
        session = an_emulated_session(market, lifecycle="on-demand", user=user)
        first = an_evaluation(session)
        evaluations.evaluate(evaluation_id=first.pk, now=timezone.now())
        last = an_evaluation(session)
        evaluations.evaluate(evaluation_id=last.pk, now=timezone.now())
        last.refresh_from_db()

        page = seen(client.get("/"))

        target = last.outcome["target"]
        assert last.decision == "SWITCH"
        assert f"Switch to {target['instance_type']} in {target['availability_zone']}, spot" in page
        monthly = usd(last.outcome["projected_savings"]["monthly"])  # as the session's page has it
        assert f"saves {monthly} per month, evaluated just now" in page

    def test_shows_a_running_evaluation(self, client, user):
        an_evaluation(a_session(user=user))

        assert "Evaluating Open the session to watch it." in seen(client.get("/"))

    def test_shows_why_an_evaluation_failed(self, client, user, aws):
        wrong = Credentials("AKIAWRONGWRONGWRONG1", SECRET)
        evaluation = an_evaluation(a_session(user=user, credentials=wrong))
        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
        evaluation.refresh_from_db()

        page = client.get("/")

        assert "Evaluation failed" in seen(page)
        assert evaluation.error["detail"][:30] in seen(page)

    def test_makes_the_same_number_of_queries_for_many_sessions(
        self, client, user, django_assert_num_queries
    ):
        def fill(count: int) -> None:
            for _ in range(count):
                session = a_session(user=user)
                an_evaluation(session)
                services.end_session(session=a_session(user=user), now=timezone.now())

        fill(1)
        # The log-in's session and user, the active sessions, the others, their evaluations.
        with django_assert_num_queries(5):
            client.get("/")
        fill(3)
        with django_assert_num_queries(5):
            client.get("/")


class TestNewSession:
    def test_opens_one_and_leads_to_its_page(self, client, user):
        answer = client.post("/sessions/new", ANSWERS)

        session = SandboxSession.objects.get()
        assert (answer.status_code, answer["Location"]) == (302, f"/sessions/{session.pk}")
        assert (session.user, session.mode, session.instance_type) == (user, "dry_run", "m5.large")
        assert session.expires_at - session.created_at == timedelta(hours=1)
        assert session.preferences["downtime_usd_per_hour"] == 2.5
        assert session.preferences["safety_gate"] == 0.5
        assert session.preferences["advisor_filter"] is False
        assert unseal(session) == Credentials(KEY, SECRET)

    def test_accepts_all_credential_fields_of_the_api(self, client):
        expiry = timezone.now() + timedelta(hours=3)
        more = {
            "aws_session_token": TOKEN,
            "credentials_expire_at": f"{expiry:%Y-%m-%dT%H:%M}",
            "role_arn": "arn:aws:iam::123456789012:role/spot",
            "external_id": "of-mine",
            "preferences.advisor_filter": "on",
        }

        client.post("/sessions/new", ANSWERS | more)

        session = SandboxSession.objects.get()
        assert unseal(session) == Credentials(KEY, SECRET, TOKEN, more["role_arn"], "of-mine")
        assert session.credentials_expire_at == expiry.replace(second=0, microsecond=0)
        assert session.preferences["advisor_filter"] is True

    @pytest.mark.parametrize(
        ("change", "field", "message"),
        [
            ({"instance_id": ""}, "instance_id", "This field is required."),
            ({"aws_region": "Mars"}, "aws_region", "Enter a region code"),
            ({"aws_secret_key": " "}, "aws_secret_key", "This field may not be blank."),
            ({"ttl_minutes": "5"}, "ttl_minutes", "greater than or equal to 15"),
            ({"mode": "x"}, "mode", "Use one of: dry_run, live."),
            ({"credentials_expire_at": "soon"}, "credentials_expire_at", "Datetime has wrong"),
            ({"instance_type": "\x00"}, "instance_type", "Null characters are not allowed."),
            (
                {"preferences.safety_gate": "2"},
                "preferences.safety_gate",
                "less than or equal to 1",
            ),
            ({"preferences.safety_gate": "nan"}, "preferences.safety_gate", "valid number"),
            ({"preferences.safety_gate": "much"}, "preferences.safety_gate", "valid number"),
        ],
    )
    def test_shows_the_errors_of_the_api_at_their_fields(self, client, change, field, message):
        answer = client.post("/sessions/new", ANSWERS | change)

        text = text_of(answer)
        assert answer.status_code == 400
        assert not SandboxSession.objects.exists()
        at_field = text.split(f'id="id_{field}_error"')[1].split("</div>")[0]
        assert message in at_field
        assert f'<a href="#id_{field}">' in text

    def test_renders_submitted_values_but_no_secret(self, client):
        secret = {"aws_session_token": TOKEN, "external_id": "a-shared-secret"}

        answer = client.post("/sessions/new", ANSWERS | secret | {"ttl_minutes": "5"})

        text = text_of(answer)
        assert 'value="i-0123456789abcdef0"' in text
        assert "Enter them once more" in text
        for planted in (KEY, SECRET, TOKEN, "a-shared-secret"):
            assert planted not in text

    def test_logs_no_secret(self, client, caplog):
        caplog.set_level("DEBUG")

        client.post("/sessions/new", ANSWERS | {"ttl_minutes": "5"})
        client.post("/sessions/new", ANSWERS)

        assert SECRET not in caplog.text
        assert KEY not in caplog.text

    def test_shows_the_limit_of_five_sessions(self, client, user):
        for _ in range(5):
            a_session(user=user)

        answer = client.post("/sessions/new", ANSWERS)

        assert answer.status_code == 429
        assert int(answer["Retry-After"]) > 0
        assert "You have 5 active sessions, and 5 are allowed. End one first." in seen(answer)
        assert SandboxSession.objects.count() == 5

    def test_rejects_keys_that_expire_before_the_session(self, client):
        soon = timezone.now() + timedelta(minutes=30)

        answer = client.post(
            "/sessions/new", ANSWERS | {"credentials_expire_at": f"{soon:%Y-%m-%dT%H:%M}"}
        )

        assert answer.status_code == 400
        assert "These credentials expire before the session" in seen(answer)

    def test_disables_autocomplete_for_all_inputs(self, client):
        text = text_of(client.get("/sessions/new"))

        fields = re.findall(r'<input type="(?:text|password|datetime-local)"[^>]*>', text)
        assert len(fields) == 12
        assert all('autocomplete="off"' in field for field in fields)
        assert re.search(r'<input type="password" name="aws_secret_key"', text)

    def test_names_each_field_to_screen_readers(self, client):
        text = text_of(client.get("/sessions/new"))

        for name in re.findall(r'<(?:input|select)[^>]* id="(id_[^"]+?)"', text):
            assert f'<label for="{name}">' in text

    def test_shows_the_policy_of_both_modes(self, client):
        text = text_of(client.get("/sessions/new")).replace("&quot;", '"')

        policies = [json.loads(each) for each in re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.S)]
        actions = [
            {action for statement in policy["Statement"] for action in statement["Action"]}
            for policy in policies
        ]
        assert "ec2:DescribeSpotPriceHistory" in actions[0] & actions[1]
        assert "ec2:RunInstances" in actions[1] - actions[0]

    def test_is_for_those_who_are_signed_in(self):
        answer = Client().post("/sessions/new", ANSWERS)

        assert answer["Location"] == "/sign-in?next=/"
        assert not SandboxSession.objects.exists()

    def test_needs_the_token_against_forgery(self, user):
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)

        answer = client.post("/sessions/new", ANSWERS, headers={"Accept": "text/html"})

        assert answer.status_code == 403
        assert "This form has expired. Reload the page" in seen(answer)
        assert not SandboxSession.objects.exists()


class TestDemo:
    @pytest.fixture
    def demo(self, settings, tmp_path, aws):
        """Write what the quick start of this local AWS would write."""
        instances = [
            {key: each[key] for key in ("instance_id", "instance_type", "availability_zone")}
            | {"region": each["region"]}
            for each in aws.instances()
        ]
        facts = {
            "aws_endpoint_url": settings.AWS_ENDPOINT_URL,
            "access_key": aws.access_key,
            "secret_key": aws.secret_key,
            "instances": instances,
        }
        settings.VAR_DIR = tmp_path
        (tmp_path / "quickstart.json").write_text(json.dumps(facts))
        return facts

    def test_is_offered_on_the_empty_home(self, client, demo):
        assert "Try it on a demo instance" in seen(client.get("/"))

    def test_is_offered_beside_other_sessions(self, client, user, demo):
        a_session(user=user)

        assert "Try it on a demo instance" in seen(client.get("/"))

    def test_is_one_click_to_a_session_that_can_be_evaluated(self, client, demo):
        answer = client.post("/sessions/demo")

        session = SandboxSession.objects.get()
        evaluation = an_evaluation(session)
        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
        evaluation.refresh_from_db()
        assert (answer.status_code, answer["Location"]) == (302, f"/sessions/{session.pk}")
        assert session.instance_id == demo["instances"][0]["instance_id"]
        assert (evaluation.state, evaluation.error) == ("decided", None)

    def test_uses_another_instance_each_time(self, client, demo):
        for _ in range(3):
            client.post("/sessions/demo")

        found = set(SandboxSession.objects.values_list("instance_id", flat=True))
        assert len(found) == 3

    def test_shows_the_limit_of_five_sessions(self, client, user, demo):
        for _ in range(5):
            a_session(user=user)

        answer = client.post("/sessions/demo")

        assert answer.status_code == 429
        assert "End one first." in seen(answer)

    def test_fills_in_the_form(self, client, demo):
        assert 'href="/sessions/new?demo"' in text_of(client.get("/sessions/new"))

        text = text_of(client.get("/sessions/new?demo"))
        filled = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', text))
        answer = client.post("/sessions/new", filled)

        assert answer.status_code == 302
        session = SandboxSession.objects.get()
        assert session.instance_id == demo["instances"][0]["instance_id"]
        assert unseal(session) == Credentials(demo["access_key"], demo["secret_key"])

    @pytest.mark.parametrize("why", ["real AWS", "production", "another local AWS", "no file"])
    def test_is_offered_nowhere_else(self, client, demo, settings, why):
        if why == "real AWS":
            settings.AWS_ENDPOINT_URL = ""
        if why == "production":
            settings.IS_PRODUCTION = True
        if why == "another local AWS":
            settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
        if why == "no file":
            (settings.VAR_DIR / "quickstart.json").unlink()

        home, form = client.get("/"), client.get("/sessions/new?demo")
        answer = client.post("/sessions/demo", headers={"Accept": "text/html"})

        assert "demo" not in seen(home).lower()
        assert demo["secret_key"] not in text_of(form)
        assert "Fill in a demo" not in seen(form)
        assert answer.status_code == 404
        assert "Open a session with keys of your own." in seen(answer)
        assert not SandboxSession.objects.exists()
