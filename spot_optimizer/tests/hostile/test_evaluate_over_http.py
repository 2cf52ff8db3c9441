"""What AWS does wrong is answered as the schema says, over HTTP; and Prefer says what it did."""

import time
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
import urllib3
from django.utils import timezone

from accounts.testing import signed_in
from lab.models import ModelRegistry
from lab.services import set_stage
from lab.testing import a_challenger
from sandbox import vault
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation
from sandbox.testing import an_emulated_session
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.tests.hostile.inputs import STATUS_COUNTS, load_schema
from spot_optimizer.tests.hostile.raw_http import server
from spot_optimizer.tests.test_schema import ONE, closed

__all__ = ["server"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def responses():
    schema = load_schema()
    operation = schema["paths"][f"{ONE}/evaluate"]["post"]
    return {
        status: closed(schema, answer["content"]["application/json"]["schema"])
        for status, answer in operation["responses"].items()
    }


@pytest.fixture(autouse=True)
def champion(transactional_db):
    """The registry's own is gone where a test with real commits has been before."""
    if not ModelRegistry.objects.filter(stage="champion").exists():
        set_stage(model_id=a_challenger().pk, stage="champion", by=None, now=timezone.now())


def evaluated(server, session, prefer="wait=9", *, settle=True):
    """Ask over HTTP; the job that settles it runs in this process, as a worker would."""
    path = f"http://127.0.0.1:{server.port}/api/v1/sandbox/sessions/{session.pk}/evaluate"
    headers = {"Authorization": signed_in(session.user)._credentials["HTTP_AUTHORIZATION"]}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(
            urllib3.request,
            "POST",
            path,
            json={},
            headers=headers | {"Prefer": prefer},
            timeout=60,
            retries=False,
        )
        while settle and not answer.done():
            pending = Evaluation.objects.pending().filter(session=session).first()
            if pending is not None:
                evaluations.evaluate(evaluation_id=pending.pk, now=timezone.now())
            time.sleep(0.05)
        STATUS_COUNTS[answer.result().status] += 1
        return answer.result()


FAULTS = {
    "a throttle": {"code": "RequestLimitExceeded", "status": 503},
    "trouble of its own": {"code": "InternalError", "status": 500},
    "a code nobody has heard of": {"code": "Never{Heard}/Of\n", "status": 418},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_awss_is_a_502(server, aws, responses, fault):
    session = an_emulated_session(aws)
    aws.fail("Describe*", **FAULTS[fault], times=50)

    assert_refused(evaluated(server, session), responses, 502, "aws_")


def test_a_denial_is_a_502_that_names_what_is_missing(server, aws, responses):
    session = an_emulated_session(aws)
    aws.deny("ec2:DescribeInstances")

    answer = evaluated(server, session)

    assert_refused(answer, responses, 502, "aws_UnauthorizedOperation")
    assert "ec2:DescribeInstances" in answer.json()["detail"]


def test_an_unknown_instance_is_a_502(server, aws, responses):
    session = an_emulated_session(aws)
    type(session).objects.filter(pk=session.pk).update(instance_id="i-00000000000000000")

    assert_refused(evaluated(server, session), responses, 502, "aws_InvalidInstanceID.NotFound")


def test_nonsense_of_awss_is_a_502(server, aws, responses):
    session = an_emulated_session(aws)
    aws.garbage("DescribeInstances", times=50)

    assert_refused(evaluated(server, session), responses, 502, "aws_")


def test_wrong_keys_are_a_502(server, aws, responses):
    session = an_emulated_session(aws)
    wrong = vault.seal(Credentials(aws.access_key, "planted-wrong-secret"))
    type(session).objects.filter(pk=session.pk).update(sealed_credentials=wrong)

    answer = evaluated(server, session)

    assert_refused(answer, responses, 502, "aws_")
    assert b"planted" not in answer.data


def test_an_aws_that_is_away_is_a_504(server, aws, responses, settings):
    session = an_emulated_session(aws)
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"

    assert_refused(evaluated(server, session), responses, 504, "aws_timeout")


def assert_refused(answer, responses, status, code):
    assert answer.status == status, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body.pop("evaluation_id")
    jsonschema.validate(body, responses[str(status)], cls=jsonschema.Draft202012Validator)
    assert body["code"].startswith(code)
    assert body["detail"].endswith(".")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async", "respond-async"),
        ("wait=0", "wait=0"),
        ("wait=1, foo=bar", "wait=1"),
        ("handling=strict, respond-async, wait=5", "respond-async"),
    ],
)
def test_the_applied_preference_is_in_the_response(server, aws, responses, prefer, applied):
    answer = evaluated(server, an_emulated_session(aws), prefer, settle=False)

    assert (answer.status, answer.headers["Preference-Applied"]) == (202, applied)
    jsonschema.validate(answer.json(), responses["202"], cls=jsonschema.Draft202012Validator)


def test_a_preference_for_longer_than_ours_is_honoured_in_part(server, aws, responses):
    aws.fail("Describe*", code="AuthFailure", times=50)

    answer = evaluated(server, an_emulated_session(aws), "wait=99999999")

    assert (answer.status, answer.headers["Preference-Applied"]) == (502, "wait=10")


@pytest.mark.parametrize("prefer", ["", "wait=", "wait=-1", "wait=1.5x", "x", "wait=999999999999"])
def test_a_preference_that_is_none_is_passed_over(server, aws, responses, prefer):
    aws.fail("Describe*", code="AuthFailure", times=50)

    answer = evaluated(server, an_emulated_session(aws), prefer)

    assert answer.status == 502
    assert answer.headers.get("Preference-Applied") in (None, "wait=1")
