"""What a request costs the database, as exact numbers: one more is a decision, not an accident."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient, APIRequestFactory

from accounts.testing import PASSWORD, a_user, signed_in
from sandbox.api.views import EvaluateView
from sandbox.testing import a_session

pytestmark = pytest.mark.django_db
API = "/api/v1"
SESSION = {
    "instance_id": "i-test-1",
    "instance_type": "c5.large",
    "availability_zone": "ap-south-1a",
    "aws_access_key": "AKIA...",
    "aws_secret_key": "...",
    "aws_region": "ap-south-1",
}


@pytest.fixture
def user():
    return a_user()


@pytest.fixture
def client(user):
    return signed_in(user)


def kinds(ask) -> dict[str, int]:
    """Run a request; return how many statements of each kind it took, transactions' own aside."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert ask().status_code < 300
    first = [query["sql"].split()[0] for query in queries]
    return dict(Counter(word for word in first if word in ("SELECT", "INSERT", "UPDATE")))


def test_a_profile_asks_once_for_family_and_user(client):
    assert kinds(lambda: client.get(f"{API}/auth/profile")) == {"SELECT": 1}


def test_verifying_a_token_asks_no_more(client):
    assert kinds(lambda: client.get(f"{API}/auth/verify")) == {"SELECT": 1}


def test_signing_in_writes_the_visit_and_the_family(user):
    body = {"email": user.email, "password": PASSWORD}

    asked = kinds(lambda: APIClient().post(f"{API}/auth/login", body, format="json"))

    assert asked == {"SELECT": 1, "UPDATE": 1, "INSERT": 1}


def test_a_session_asks_for_who_and_for_what(client, user):
    session = a_session(user=user)

    asked = kinds(lambda: client.get(f"{API}/sandbox/sessions/{session.pk}"))

    assert asked == {"SELECT": 2}


@pytest.mark.parametrize("count", [1, 5])
def test_a_page_of_sessions_asks_no_more_for_more_of_them(client, user, count):
    for _ in range(count):
        a_session(user=user)

    assert kinds(lambda: client.get(f"{API}/sandbox/sessions")) == {"SELECT": 2}


def test_opening_a_session(client):
    asked = kinds(lambda: client.post(f"{API}/sandbox/sessions", SESSION, format="json"))

    assert asked == {"SELECT": 4, "INSERT": 5, "UPDATE": 1}


def test_ending_a_session(client, user):
    session = a_session(user=user)

    assert kinds(lambda: client.delete(f"{API}/sandbox/sessions/{session.pk}")) == {
        "SELECT": 3,
        "INSERT": 3,
        "UPDATE": 2,
    }


def test_asking_for_an_evaluation(client, user):
    session = a_session(user=user)
    headers = {"authorization": client._credentials["HTTP_AUTHORIZATION"]}
    request = APIRequestFactory().post("/", {}, format="json", headers=headers)

    # Without the waiting, which is on other connections.
    asked = kinds(lambda: EvaluateView.as_view()(request, session_id=session.pk))

    assert asked == {"SELECT": 4, "INSERT": 2}
