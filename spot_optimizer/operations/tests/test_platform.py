"""The whole platform as an operator meets it: web, worker and schedule in one real process."""

import http.cookiejar
import json
import re
import socket
import urllib.parse
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spot_optimizer.tests.quickstart import Platform
from spot_optimizer.tests.test_walk import SESSIONS, database_fingerprint, until

MARKS = {
    "aws_secret_key": "PLANTED/secret+of/nobody+0123456789abcdef",
    "aws_session_token": "PLANTEDSESSIONTOKENOFNOBODY" * 4,
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    var_dir = tmp_path_factory.mktemp("operators") / "var"
    with Platform(var_dir, LOG_FORMAT="json", LOG_LEVEL="DEBUG") as platform:
        yield platform


class Operator:
    """Somebody in a browser, signed in to the admin."""

    def __init__(self, platform) -> None:
        self.base_url = platform.base_url
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(cookies)
        admin = platform.facts["admin"]
        self.submit(
            "/admin/login/?next=/admin/", username=admin["email"], password=admin["password"]
        )

    def read(self, path):
        with self.browser.open(self.base_url + path, timeout=30) as page:
            return page.read().decode()

    def submit(self, path, shown_at=None, **fields):
        page = self.read(shown_at or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        form = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with self.browser.open(self.base_url + path, form, timeout=30) as page:
            return page.read().decode()


def logged(platform):
    """Return the records of the log; what people read at the start is no record."""
    lines = platform.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_one_evaluation_is_followed_from_the_request_to_the_worker(platform):
    token = platform.register("followed")
    own = f"{SESSIONS}/{platform.create_session(token)['session_id']}"
    headers = {"Prefer": "respond-async", "X-Request-ID": "followed-1234"}

    answer = platform.request("POST", f"{own}/evaluate", {}, token, **headers)
    where = answer.headers["Location"]
    until(
        lambda: platform.request("GET", where, token=token).json()["state"] != "pending",
        seconds=60,
    )

    assert answer.headers["X-Request-ID"] == "followed-1234"
    records = [line for line in logged(platform) if line.get("request_id") == "followed-1234"]
    [access] = [line for line in records if line["logger"] == "spot_optimizer.access"]
    assert (access["status"], access["route"]) == (
        202,
        "api/v1/sandbox/sessions/<uuid:session_id>/evaluate",
    )
    assert {line.get("session_id") for line in records if "session_id" in line} == {
        own.rpartition("/")[2]
    }
    assert any("task_id" in line for line in records)


def test_a_manually_run_job_shows_its_result(platform):
    operator = Operator(platform)
    front_page = operator.read("/admin/")
    [path] = re.findall(
        r'action="([^"]+/run)">\s*<[^>]+>\s*<button[^>]+aria-label="Run update_session_counts now',
        front_page,
    )

    text = operator.submit(path, shown_at="/admin/")

    assert "Enqueued a run of update_session_counts" in text
    until(lambda: "corrected 0" in operator.read("/admin/"))
    runs = operator.read("/admin/django_celery_results/taskresult/")
    assert "update_session_counts" in runs
    assert socket.gethostname() in runs  # where it ran


def test_an_operator_edits_the_schedule_in_its_page(platform):
    operator = Operator(platform)
    schedule = operator.read("/admin/django_celery_beat/periodictask/?q=refresh_market")
    path = re.search(r'href="(/admin/django_celery_beat/periodictask/\d+/change/)', schedule)[1]
    fields = {"name": "refresh_market", "regtask": "sandbox.refresh_market", "args": "[]"}
    fields |= {"kwargs": "{}", "headers": "{}", "expire_seconds": "300", "enabled": "on"}
    page = operator.read(path)
    interval = re.search(r'<option value="(\d+)"[^>]*>every 10 minutes<', page)[1]

    operator.submit(path, **fields, interval=interval)

    assert "every 10 minutes" in operator.read(path)
    changed = operator.read("/admin/django_celery_beat/periodictask/?q=refresh_market")
    assert "every 10 minutes" in changed


def test_what_prometheus_reads_has_counted_what_happened(platform):
    token = platform.register("counted")
    platform.evaluate(platform.create_session(token)["session_id"], token)

    text = platform.request("GET", "/metrics").data.decode()

    found = {family.name: family for family in text_string_to_metric_families(text)}
    decided = [
        sample.value
        for sample in found["spot_optimizer_evaluations"].samples
        if sample.labels["outcome"] == "decided"
    ]
    assert sum(decided) >= 1
    tasks = {sample.labels["task"] for sample in found["spot_optimizer_tasks"].samples}
    assert {"sandbox.preflight", "sandbox.evaluate"} <= tasks


def test_a_planted_secret_is_in_nothing_that_operators_read(platform):
    password = "Planted-Passw0rd-of-nobody"
    body = {"email": "planted@example.com", "username": "planted", "password": password}
    token = platform.request("POST", "/api/v1/auth/register", body).json()["access_token"]
    session = platform.create_session(token, **MARKS)
    own = f"{SESSIONS}/{session['session_id']}"
    platform.request("POST", f"{own}/evaluate?ticket={session['stream_ticket']}", {}, token)
    platform.request("GET", f"/nowhere?ticket={session['stream_ticket']}", token=token)
    operator = Operator(platform)

    paths = ("", "django_celery_results/taskresult/", "sandbox/sandboxsession/")
    paths += (f"sandbox/sandboxsession/{session['session_id']}/change/",)
    pages = [operator.read(f"/admin/{path}") for path in paths]
    pages += [platform.request("GET", path).data.decode() for path in ("/metrics", "/health")]
    stored = database_fingerprint(platform).decode(errors="replace")
    text = platform.log.read_text()

    for secret in (*MARKS.values(), password, token, session["stream_ticket"]):
        for place in (*pages, text):
            assert secret not in place
            assert json.dumps(secret)[1:-1] not in place
        if secret != session["stream_ticket"]:  # that one is the session's own, by design
            assert secret not in stored
