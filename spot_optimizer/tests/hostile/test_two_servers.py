"""Two web processes count together: limits hold exactly, however the requests are spread."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import urllib3
from django.conf import settings as project
from django.core.cache import cache
from django.db import connection

from accounts.testing import PASSWORD, a_user, signed_in
from sandbox.models import SandboxSession
from spot_optimizer.tests.hostile.test_ssrf import BODY
from spot_optimizer.tests.test_server import RunningServer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not project.REDIS_URL or project.IS_SQLITE,
        reason="two processes count together in PostgreSQL and Redis: set DATABASE_URL, REDIS_URL",
    ),
]
LIMITS = {
    "THROTTLE_LOGIN": "7/min",
    "THROTTLE_LOGIN_ADDRESS": "25/min",
    "THROTTLE_REGISTER": "9/min",
    "THROTTLE_API": "120/min",
}


@pytest.fixture(scope="module")
def webs(django_db_setup):
    with ExitStack() as stack:
        servers = [RunningServer(LOG_LEVEL="ERROR", **LIMITS) for _ in range(2)]
        for server in servers:
            stack.callback(server.stop)
        yield [f"http://127.0.0.1:{server.wait().port}" for server in servers]


@pytest.fixture(autouse=True)
def uncounted(transactional_db):
    cache.clear()
    yield
    cache.clear()


def at_once(webs, requests):
    """Send all of them at the same moment, by turns to each web; return the answers."""
    start = threading.Barrier(len(requests))

    def send(number):
        method, path, body, headers = requests[number]
        start.wait()
        return urllib3.request(
            method, webs[number % 2] + path, json=body, headers=headers, timeout=60, retries=False
        )

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, range(len(requests))))


def assert_exactly(answers, passed, status):
    """So many passed, with that status; every other one was told when to come again."""
    assert Counter(each.status for each in answers) == {
        status: passed,
        429: len(answers) - passed,
    }
    for refused in (each for each in answers if each.status == 429):
        assert 1 <= int(refused.headers["Retry-After"]) <= 480 * 60
        assert refused.json()["code"] in ("too_many_requests", "active_session_limit")


def a_guess(email):
    return ("POST", "/api/v1/auth/login", {"email": email, "password": "wrong"}, {})


def as_(user):
    return {"Authorization": signed_in(user)._credentials["HTTP_AUTHORIZATION"]}


def test_guesses_at_one_password(webs):
    answers = at_once(webs, [a_guess(a_user().email)] * 24)

    assert_exactly(answers, 7, 401)


def test_guesses_from_one_address(webs):
    answers = at_once(webs, [a_guess(f"nobody-{n}@example.com") for n in range(50)])

    assert_exactly(answers, 25, 401)


def test_registrations(webs):
    bodies = [
        {"email": f"new-{n}@example.com", "username": f"new-{n}", "password": PASSWORD}
        for n in range(30)
    ]

    answers = at_once(webs, [("POST", "/api/v1/auth/register", body, {}) for body in bodies])

    assert_exactly(answers, 9, 201)


def test_calls_of_one_user(webs):
    headers = as_(a_user())

    answers = at_once(webs, [("GET", "/api/v1/auth/profile", None, headers)] * 150)

    assert_exactly(answers, 120, 200)


def test_a_hundred_sessions_of_one_user_are_five(webs):
    user = a_user()
    creates = [
        ("POST", "/api/v1/sandbox/sessions", BODY | {"instance_id": f"i-{n}"}, as_(user))
        for n in range(100)
    ]

    answers = at_once(webs, creates)

    assert_exactly(answers, 5, 201)
    assert SandboxSession.objects.filter(user=user, state="active").count() == 5
    assert {each.json()["code"] for each in answers if each.status == 429} == {
        "active_session_limit"
    }
    assert connection.vendor == "postgresql"
