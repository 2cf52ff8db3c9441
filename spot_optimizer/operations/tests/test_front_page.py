"""What an operator sees first, and may do: each action says what happened and leaves a trace."""

import re
import time
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult
from kombu import pools

from accounts.testing import PASSWORD, a_user, an_admin, signed_in
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import SECRET, a_session, an_evaluation
from spot_optimizer.celery import app

pytestmark = pytest.mark.django_db
PROFILE = "/api/v1/auth/profile"


@pytest.fixture
def operator():
    client = Client()
    client.force_login(an_admin())
    return client


def text_of(answer):
    """Return the page as a person reads it: without tags, every run of spaces one space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def act(operator, model, action, *rows):
    path = reverse(f"admin:{model}_changelist")
    return operator.post(path, {"action": action, "_selected_action": [row.pk for row in rows]})


def messages_of(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def trace():
    return [(entry.object_repr, entry.get_change_message()) for entry in LogEntry.objects.all()]


class TestFrontPage:
    def test_shows_the_health(self, operator):
        PeriodicTask.objects.update(last_run_at=timezone.now())

        text = text_of(operator.get("/admin/"))

        assert "Health: ok" in text
        assert "database: ok" in text
        assert "broker: ok" in text

    def test_shows_pending_evaluations_and_unfinished_sessions(self, operator):
        evaluation = an_evaluation(a_session())
        Evaluation.objects.filter(pk=evaluation.pk).update(
            created_at=timezone.now() - timedelta(minutes=7)
        )
        failed = a_session(instance_id="i-0cafe0000000000")
        SandboxSession.objects.filter(pk=failed.pk).update(state="cleanup_failed")

        text = text_of(operator.get("/admin/"))

        assert "Evaluations waiting: 1 (the oldest for 7 minutes)" in text
        assert "Sessions cleanup failed : 1" in text
        assert "Sessions active : 1" in text
        assert f"i-0cafe0000000000 cleanup_failed 0 minutes {failed.user.email}" in text

    def test_shows_the_last_run_of_each_job(self, operator):
        TaskResult.objects.create(
            task_id="1",
            periodic_task_name="refresh_market",
            status="SUCCESS",
            result='{"refreshed": 3}',
        )

        text = text_of(operator.get("/admin/"))

        assert "refresh_market every 5 minutes 0 minutes ago success refreshed 3" in text
        assert "update_session_counts every 10 minutes never" in text

    def test_is_quick(self, operator, django_assert_max_num_queries):
        for _ in range(3):
            an_evaluation(a_session())
        operator.get("/admin/")

        with django_assert_max_num_queries(10):
            operator.get("/admin/")

    def test_shows_no_secret(self, operator):
        session = a_session()
        SandboxSession.objects.filter(pk=session.pk).update(state="cleanup_failed")

        page = operator.get("/admin/").content.decode()

        sealed = bytes(session.sealed_credentials).decode()
        for secret in (SECRET, sealed, session.stream_ticket, session.user.password):
            assert secret not in page

    def test_and_the_schedule_have_nothing_that_the_policy_refuses(self, operator):
        job = PeriodicTask.objects.first()
        schedule = reverse("admin:django_celery_beat_periodictask_change", args=[job.pk])
        for path in ("/admin/", schedule, reverse("admin:django_celery_beat_periodictask_add")):
            page = operator.get(path).content.decode()

            assert not re.search(r"<script(?![^>]*\bsrc=)", page), path
            assert not re.search(r"<[^>]+\son[a-z]+\s*=", page), path


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestRunNow:
    def test_runs_a_job_and_shows_its_result(self, operator):
        job = a_job("counts")
        path = reverse("admin:django_celery_beat_periodictask_run", args=[job.pk])

        answer = operator.post(path)

        assert answer.status_code == 302
        assert messages_of(answer)[0].startswith("Enqueued a run of counts.")
        [(who, what)] = trace()
        assert who.startswith("counts")
        assert what.startswith("Enqueued a run: ")
        until(lambda: "success corrected 0" in text_of(operator.get("/admin/")))
        run = TaskResult.objects.get(periodic_task_name="counts")
        page = reverse("admin:django_celery_results_taskresult_change", args=[run.pk])
        assert "corrected 0" in text_of(operator.get(page))

    def test_of_several_at_once(self, operator):
        jobs = [a_job("one"), a_job("two")]

        answer = act(operator, "django_celery_beat_periodictask", "run_now", *jobs)

        assert len(messages_of(answer)) == len(trace()) == 2

    def test_reports_a_job_whose_task_is_not_registered(self, operator):
        job = a_job("odd", task="nobody.knows")

        answer = act(operator, "django_celery_beat_periodictask", "run_now", job)

        assert "Choose a registered one" in messages_of(answer)[0]
        assert not trace()


@pytest.mark.django_db(transaction=True)
def test_reports_an_unavailable_broker(operator, monkeypatch):
    job = a_job("counts")
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    reset_pools()
    try:
        answer = act(operator, "django_celery_beat_periodictask", "run_now", job)
    finally:
        monkeypatch.undo()
        reset_pools()

    assert "The broker does not respond" in messages_of(answer)[0]
    assert not trace()


def reset_pools():
    """Let the application open its connections anew, as at its start."""
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


def a_job(name, task="sandbox.update_session_counts"):
    each_day = IntervalSchedule.objects.get_or_create(every=1, period="days")[0]
    return PeriodicTask.objects.create(name=name, task=task, interval=each_day)


def until(found):
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        if found():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


class TestOtherActions:
    def test_ending_a_session(self, operator):
        session, ended = a_session(), a_session()
        SandboxSession.objects.filter(pk=ended.pk).update(
            state="ended", ended_at=timezone.now(), sealed_credentials=None
        )

        answer = act(operator, "sandbox_sandboxsession", "end_now", session, ended)

        session.refresh_from_db()
        assert session.state == "ending"
        assert sorted(messages_of(answer)) == [
            f"{session} is ended already.",
            f"{session} is ending: it is cleaned up, then its credentials are erased.",
        ]
        assert trace() == [(str(session), "Requested its end.")]

    def test_signing_somebody_out_everywhere(self, operator):
        user, other = a_user(), a_user()
        by_token, others_token = signed_in(user), signed_in(other)
        by_cookie, others_cookie = Client(), Client()
        for client, who in ((by_cookie, user), (others_cookie, other)):
            client.post("/sign-in", {"email": who.email, "password": PASSWORD})
            assert client.get(PROFILE).status_code == 200

        answer = act(operator, "accounts_user", "sign_out", user)

        text = "1 by token, 1 in browsers"
        assert messages_of(answer) == [f"{user.email} is signed out everywhere ({text})."]
        assert trace() == [(user.email, f"Ended all sign-ins: {text}.")]
        assert [client.get(PROFILE).status_code for client in (by_token, by_cookie)] == [401, 401]
        assert others_token.get(PROFILE).status_code == 200
        assert others_cookie.get(PROFILE).status_code == 200
        assert operator.get("/admin/").status_code == 200

    def test_revoking_one_log_in(self, operator):
        user = a_user()
        client = signed_in(user)

        answer = act(operator, "accounts_tokenfamily", "revoke", user.token_families.get())

        assert "revoked" in messages_of(answer)[0]
        assert len(trace()) == 1
        assert client.get(PROFILE).status_code == 401

    @pytest.mark.parametrize("role", ["user", "lab"])
    def test_are_for_admins_only(self, role):
        client, job = Client(), PeriodicTask.objects.first()
        client.force_login(a_user(role))

        path = reverse("admin:django_celery_beat_periodictask_run", args=[job.pk])

        assert client.post(path)["Location"].startswith("/admin/login/")
        assert not trace()

    def test_runs_are_for_looking_only(self, operator):
        run = TaskResult.objects.create(task_id="1", status="SUCCESS", result="{}")
        model = "admin:django_celery_results_taskresult"

        deleted = operator.post(reverse(f"{model}_delete", args=[run.pk]), {"post": "yes"})
        added = operator.get(reverse(f"{model}_add"))

        assert (deleted.status_code, added.status_code) == (403, 403)
