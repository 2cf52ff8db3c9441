"""Request ids in all log records, and the access log."""

import json
import logging
import time

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from accounts.testing import PASSWORD, a_user, an_admin, signed_in
from sandbox.testing import a_session
from spot_optimizer.observability.logs import ContextFilter, JsonLines

ACCESS = "spot_optimizer.access"


@pytest.fixture
def log_lines(caplog):
    """The log as an operator reads it with LOG_FORMAT=json, one object per record."""
    caplog.set_level(logging.INFO)
    context = ContextFilter()
    caplog.handler.addFilter(context)
    yield lambda: [json.loads(JsonLines().format(record)) for record in caplog.records]
    caplog.handler.removeFilter(context)


def access(log_lines):
    return [line for line in log_lines() if line["logger"] == ACCESS]


@pytest.mark.django_db
class TestRequestId:
    def test_is_made_and_sent_back(self):
        first, second = [Client().get("/health/live") for _ in range(2)]

        assert len(first["X-Request-ID"]) == 32
        assert first["X-Request-ID"] != second["X-Request-ID"]

    def test_from_a_proxy_is_reused(self):
        answer = Client().get("/health/live", headers={"X-Request-ID": "proxy-7.a_B-12345678"})

        assert answer["X-Request-ID"] == "proxy-7.a_B-12345678"

    @pytest.mark.parametrize(
        "given", ["short", "x" * 65, 'with "quotes"', "a\tb\tc\td\te", "ünïcödé-12"]
    )
    def test_that_is_invalid_is_replaced(self, given):
        answer = Client().get("/health/live", headers={"X-Request-ID": given})

        assert answer["X-Request-ID"] != given
        assert len(answer["X-Request-ID"]) == 32

    def test_is_in_the_log_record_of_an_error_response(self, log_lines):
        answer = Client().get("/nowhere")

        [line] = [line for line in log_lines() if line["logger"] == "django.request"]
        assert line["request_id"] == answer["X-Request-ID"]


@pytest.mark.django_db
class TestAccessLog:
    def test_has_user_route_status_and_duration(self, log_lines):
        session = a_session()
        client = signed_in(session.user)

        answer = client.get(f"/api/v1/sandbox/sessions/{session.pk}?x=secret-query")

        [line] = access(log_lines)
        assert line["level"] == "INFO"
        assert line["method"] == "GET"
        assert line["route"] == "api/v1/sandbox/sessions/<uuid:session_id>"
        assert line["status"] == 200
        assert line["ms"] > 0
        assert line["user_id"] == str(session.user.pk)
        assert line["session_id"] == str(session.pk)
        assert line["request_id"] == answer["X-Request-ID"]
        assert "secret-query" not in json.dumps(log_lines())

    def test_has_the_user_of_a_cookie_session_and_none_if_anonymous(self, log_lines, client):
        admin = an_admin()
        client.force_login(admin)

        client.get("/admin/")
        Client().get("/admin/")

        by_cookie, by_nobody = access(log_lines)
        assert by_cookie["user_id"] == str(admin.pk)
        assert "user_id" not in by_nobody

    def test_makes_no_query(self, django_assert_num_queries, client):
        client.force_login(a_user())

        with django_assert_num_queries(0):
            client.get("/nowhere")

    def test_shows_neither_passwords_nor_tickets(self, log_lines):
        session = a_session()
        body = {"email": session.user.email, "password": PASSWORD}

        Client().post("/api/v1/auth/login", body, content_type="application/json")
        Client().get(f"/docs?ticket={session.stream_ticket}")

        assert len(access(log_lines)) == 2
        for secret in (PASSWORD, session.stream_ticket):
            assert secret not in json.dumps(log_lines())

    def test_can_be_disabled(self, log_lines, settings):
        settings.ACCESS_LOG = False

        Client().get("/health/live")

        assert not access(log_lines)

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    def test_of_an_unhandled_exception_has_the_id_of_its_traceback(self, log_lines):
        answer = Client(raise_request_exception=False).get("/api/v1/bug")

        [bug] = [line for line in log_lines() if line["level"] == "ERROR"]
        assert "Traceback" in bug["exc_info"]
        assert bug["request_id"] == answer["X-Request-ID"]
        assert access(log_lines)[0]["status"] == 500


@pytest.mark.django_db(transaction=True)
async def test_two_requests_at_once_do_not_mix_their_ids(log_lines):
    session = await sync_to_async(a_session)()
    client = await sync_to_async(signed_in)(session.user)
    headers = {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}
    path = f"/api/v1/sandbox/sessions/{session.pk}"

    answers = [
        await AsyncClient().get(path, headers=headers | {"X-Request-ID": f"request-{number}"})
        for number in range(3)
    ]

    ids = [line["request_id"] for line in access(log_lines)]
    assert ids == [answer["X-Request-ID"] for answer in answers]
    assert set(ids) == {"request-0", "request-1", "request-2"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_the_request_id_reaches_the_worker(log_lines):
    session = a_session()
    path = f"/api/v1/sandbox/sessions/{session.pk}/evaluate"

    answer = signed_in(session.user).post(
        path, {}, format="json", headers={"X-Request-ID": "follow-this-one"}
    )

    assert answer.status_code in (409, 504), answer.data  # there is no AWS here

    def in_the_worker():
        lines = [line for line in log_lines() if "task_id" in line]
        return [line for line in lines if "sandbox.evaluate" in line["message"]]

    done = until(in_the_worker)
    assert {line["request_id"] for line in done} == {"follow-this-one"}
    assert all(line["task_id"] in line["message"] for line in done)


def until(found):
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not come")
