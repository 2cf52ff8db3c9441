"""The exact number of database queries of requests, so that changes are deliberate."""

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


def kinds(send) -> dict[str, int]:
    """Send a request; return its number of statements by kind, without transaction control."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert send().status_code < 300
    first = [query["sql"].split()[0] for query in queries]
    return dict(Counter(word for word in first if word in ("SELECT", "INSERT", "UPDATE")))


def test_a_profile_reads_family_and_user_in_one_query(client):
    assert kinds(lambda: client.get(f"{API}/auth/profile")) == {"SELECT": 1}


def test_verifying_a_token_makes_one_query(client):
    assert kinds(lambda: client.get(f"{API}/auth/verify")) == {"SELECT": 1}


def test_signing_in_writes_the_visit_and_the_family(user):
    body = {"email": user.email, "password": PASSWORD}

    statements = kinds(lambda: APIClient().post(f"{API}/auth/login", body, format="json"))

    assert statements == {"SELECT": 1, "UPDATE": 1, "INSERT": 1}


def test_a_session_makes_one_query_for_the_user_and_one_for_itself(client, user):
    session = a_session(user=user)

    statements = kinds(lambda: client.get(f"{API}/sandbox/sessions/{session.pk}"))

    assert statements == {"SELECT": 2}


@pytest.mark.parametrize("count", [1, 5])
def test_a_page_of_sessions_makes_the_same_number_of_queries_for_more_sessions(client, user, count):
    for _ in range(count):
        a_session(user=user)

    assert kinds(lambda: client.get(f"{API}/sandbox/sessions")) == {"SELECT": 2}


def test_opening_a_session(client):
    statements = kinds(lambda: client.post(f"{API}/sandbox/sessions", SESSION, format="json"))

    assert statements == {"SELECT": 4, "INSERT": 5, "UPDATE": 1}


def test_ending_a_session(client, user):
    session = a_session(user=user)

    assert kinds(lambda: client.delete(f"{API}/sandbox/sessions/{session.pk}")) == {
        "SELECT": 3,
        "INSERT": 3,
        "UPDATE": 2,
    }


def test_requesting_an_evaluation(client, user):
    session = a_session(user=user)
    headers = {"authorization": client._credentials["HTTP_AUTHORIZATION"]}
    request = APIRequestFactory().post("/", {}, format="json", headers=headers)

    # Without waiting for the result, which uses other connections.
    statements = kinds(lambda: EvaluateView.as_view()(request, session_id=session.pk))

    assert statements == {"SELECT": 4, "INSERT": 2}
