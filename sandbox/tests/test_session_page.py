"""What the session page shows before any script runs."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.testing import a_user
from sandbox import services
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSession
from sandbox.preflight import jobs as preflights
from sandbox.testing import SECRET, a_session, an_emulated_session, an_evaluation
from spot_optimizer.dashboard import formats

UNKNOWN_ID = "0f6a9f0e-6c1d-4d0e-9a57-3f1f2f1e8d11"

pytestmark = pytest.mark.django_db
BROWSER = {"Accept": "text/html"}


def shown(session, query=""):
    client = Client(headers=BROWSER)
    client.force_login(session.user)
    return client.get(f"/sessions/{session.pk}{query}")


def text_of(answer):
    """Return what people read of a page: no scripts, no tags, no line breaks."""
    page = re.sub(r"(?s)<script.*?</script>", "", answer.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def evaluated(session):
    evaluation = an_evaluation(session)
    evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
    evaluation.refresh_from_db()
    return evaluation


class TestWhoSeesIt:
    def test_its_owner(self):
        session = a_session()

        assert session.instance_id in text_of(shown(session))

    def test_nobody_elses_whatever_their_role(self):
        session = a_session()
        for role in ("user", "lab", "admin"):
            client = Client(headers=BROWSER)
            client.force_login(a_user(role))

            answer = client.get(f"/sessions/{session.pk}")

            assert answer.status_code == 404
            assert session.instance_id not in answer.content.decode()

    def test_an_unknown_id_is_an_error_page(self):
        client = Client(headers=BROWSER)
        client.force_login(a_user())

        answer = client.get(f"/sessions/{uuid4()}")

        assert answer.status_code == 404
        assert "There is no session with this id" in text_of(answer)

    def test_who_is_signed_out_is_led_to_sign_in(self):
        session = a_session()

        answer = Client(headers=BROWSER).get(f"/sessions/{session.pk}")

        assert answer.status_code == 302
        assert f"next=/sessions/{session.pk}" in answer["Location"]

    def test_it_is_only_looked_at(self):
        session = a_session()
        client = Client(headers=BROWSER)
        client.force_login(session.user)

        assert client.post(f"/sessions/{session.pk}").status_code == 405


class TestBeforeTheFirstEvaluation:
    def test_shows_how_to_evaluate(self):
        assert "Press Evaluate" in text_of(shown(a_session()))

    def test_lists_the_checks_to_come(self):
        text = text_of(shown(a_session()))

        for name in ("Credentials", "Instance type", "Availability zone", "Permissions"):
            assert f"{name} waiting" in text

    def test_shows_the_policy_of_the_session(self):
        assert "ec2:DescribeSpotPriceHistory" in text_of(shown(a_session()))

    def test_renders_no_secret(self):
        session = a_session()

        page = shown(session).content.decode()

        for secret in (SECRET, session.stream_ticket, bytes(session.sealed_credentials).decode()):
            assert secret not in page

    def test_has_nothing_inline_that_the_policy_forbids(self):
        answer = shown(a_session())

        page = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
        assert not re.search(r"<[^>]+\s(on[a-z]+|style)\s*=", page)
        assert "unsafe-inline" not in answer["Content-Security-Policy"]


def test_a_failed_check_shows_what_to_do(aws):
    session = a_session(instance_id="i-0000000000000000f")

    preflights.preflight(session_id=session.pk, now=timezone.now())

    text = text_of(shown(session))
    assert "Preflight Failed" in text
    assert "Check the key pair in AWS" in text
    assert "Permissions skipped" in text


class TestADecision:
    def test_is_shown_with_the_numbers_of_the_api(self, market):
        session = an_emulated_session(market)
        evaluation = evaluated(session)
        outcome = evaluation.outcome

        text = text_of(shown(session))

        assert evaluation.decision in text
        assert outcome["reason"] in text.replace("&#x27;", "'")
        assert formats.hourly(outcome["current"]["price"]) in text
        assert outcome["inputs_hash"] in text
        for pool in outcome["candidates"]:
            assert pool["instance_type"] in text
        for stage in outcome["trace"]:
            assert f"in {stage['in']} → , out {stage['out']}" in text

    def test_gives_each_stage_its_status(self, market):
        session = an_emulated_session(market)
        trace = evaluated(session).outcome["trace"]

        page = shown(session).content.decode()

        found = re.findall(r'data-stage="(\w+)" data-status="(\w+)"', page)
        assert found == [(step["stage"], step["status"]) for step in trace]
        assert ("advisor", "disabled") in found

    def test_an_earlier_one_can_be_chosen(self, market):
        session = an_emulated_session(market)
        first, second = evaluated(session), evaluated(session)

        newest, earlier = shown(session), shown(session, f"?evaluation={first.pk}")

        assert f'data-evaluation="{second.pk}" aria-labelledby' in newest.content.decode()
        assert f'data-evaluation="{first.pk}" aria-labelledby' in earlier.content.decode()
        assert "earlier evaluation" in text_of(earlier)
        assert "earlier evaluation" not in text_of(newest)

    @pytest.mark.parametrize("evaluation_id", ["nonsense", "", UNKNOWN_ID, "\x00"])
    def test_a_missing_evaluation_is_an_error_page(self, evaluation_id):
        answer = shown(a_session(), f"?evaluation={evaluation_id}")

        assert answer.status_code == 404
        assert "no evaluation with this id" in text_of(answer)

    def test_one_of_another_session_is_not_there(self):
        session = a_session()
        other = an_evaluation(a_session(user=session.user))

        assert shown(session, f"?evaluation={other.pk}").status_code == 404

    @pytest.mark.parametrize("decision", ["STAY", "DRAIN", "EVACUATE"])
    def test_every_decision_has_its_texts_and_icon(self, market, decision):
        session = an_emulated_session(market)
        evaluation = evaluated(session)
        outcome = evaluation.outcome | {"decision": decision}
        if decision == "STAY":
            outcome |= {"target": None}
            outcome |= {"projected_savings": {"hourly": 0.0, "monthly": 0.0, "percent": 0.0}}
        Evaluation.objects.filter(pk=evaluation.pk).update(decision=decision, outcome=outcome)

        answer = shown(session)

        text = text_of(answer)
        assert f"{decision} {decision.capitalize()}" in text
        assert ("Savings per month" in text) == (decision != "STAY")
        assert "decision-icon" in answer.content.decode()


def test_an_evaluation_with_invalid_keys_advises_a_new_session(aws):
    session = a_session()

    evaluated(session)

    text = text_of(shown(session))
    assert "This evaluation failed without a decision" in text
    assert "Open a new session with valid keys" in text
    assert "evaluate again" not in text


def test_a_failed_evaluation_shows_why_and_what_to_do(aws):
    session = an_emulated_session(aws)
    aws.deny("ec2:DescribeInstances")

    evaluated(session)

    text = text_of(shown(session))
    assert "This evaluation failed without a decision" in text
    assert "evaluate again" in text
    assert 'data-stage="input" data-status="stopped"' in shown(session).content.decode()


def test_a_running_evaluation_is_shown_as_far_as_it_has_come():
    session = a_session()
    evaluation = an_evaluation(session)
    Evaluation.objects.filter(pk=evaluation.pk).update(published_steps=["aws", "input", "hardware"])

    page = shown(session).content.decode()

    found = dict(re.findall(r'data-stage="(\w+)" data-status="(\w+)"', page))
    assert found["hardware"] == "done"
    assert found["advisor"] == "running"
    assert found["output"] == "waiting"


def test_a_session_whose_time_is_over_offers_a_new_one():
    session = a_session(now=timezone.now() - timedelta(hours=3))

    text = text_of(shown(session))

    assert "New session" in text
    assert "Expired" in text


def test_an_ended_session_shows_its_results_and_audit_trail(market):
    session = an_emulated_session(market)
    decision = evaluated(session).decision
    services.end_session(session=session, now=timezone.now())
    cleanup.clean_up(session_id=session.pk, now=timezone.now())
    session.refresh_from_db()

    text = text_of(shown(session))

    assert session.state == SandboxSession.State.ENDED
    assert decision in text
    assert "no longer evaluates" in text
    assert "Session ended" in text
    assert "credentials erased" in text


def test_what_users_name_themselves_stays_text():
    session = a_session(instance_id="<script>alert(1)</script>", instance_type="</script>&")

    page = shown(session).content.decode()

    assert "<script>alert" not in page
    assert json.loads(re.search(r'id="session-data"[^>]*>(.*?)</script>', page)[1])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\u2013"),
        (0.0, "0\u00a0%"),
        (0.0162949, "0.016\u00a0%"),
        (0.00002, "<0.001\u00a0%"),
        (0.5, "0.5\u00a0%"),
        (3.0, "3\u00a0%"),
        (3.21, "3.2\u00a0%"),
        (12.5, "13\u00a0%"),
        (68.4, "68\u00a0%"),
        (-20.6, "\u221221\u00a0%"),
        (1234.0, "1,234\u00a0%"),
    ],
)
def test_per_cents_have_the_digits_that_mean_something(number, text):
    assert formats.percent(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\u2013"),
        (0.0384, "$0.0384/h"),
        (1234.5, "$1,234.5000/h"),
        (-0.01, "\u2212$0.0100/h"),
    ],
)
def test_formats_prices(number, text):
    assert formats.hourly(number) == text


@pytest.mark.parametrize("number", [55.845, Decimal("55.845000")])
def test_a_stored_amount_and_the_one_of_a_decision_are_one_text(number):
    assert formats.usd(number) == "$55.85"  # which is what Intl.NumberFormat says, too
