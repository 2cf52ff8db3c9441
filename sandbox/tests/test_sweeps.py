import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts.models import User
from sandbox import displayed_session_counts, services, sweeps, tasks
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import market_refresh as refresh
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import a_session, an_emulated_session, an_evaluation
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.celery import app
from streaming.models import Line, Stream

pytestmark = pytest.mark.django_db


def an_overdue_session(**fields):
    return a_session(ttl_minutes=15, now=timezone.now() - timedelta(minutes=16), **fields)


def states():
    return sorted(SandboxSession.objects.values_list("state", flat=True))


class TestSchedule:
    def test_has_a_row_for_each_job(self):
        jobs = PeriodicTask.objects.filter(task__startswith="sandbox.")

        assert {(job.name, job.interval.every, job.expire_seconds) for job in jobs} == {
            ("cleanup_expired_sessions", 5, 300),
            ("update_session_counts", 10, 600),
            ("refresh_market", 5, 300),
        }

    def test_names_only_existing_tasks(self):
        app.loader.import_default_modules()

        for job in PeriodicTask.objects.exclude(task__startswith="celery."):
            assert job.task in app.tasks, job.task


class TestExpiry:
    def test_the_sweep_alone_ends_overdue_sessions(self):
        session = an_overdue_session()
        alive = a_session()

        sweeps.cleanup_expired_sessions(now=timezone.now())

        session.refresh_from_db()
        alive.refresh_from_db()
        assert (session.state, alive.state) == ("ended", "active")
        assert session.sealed_credentials is None
        lines = Line.objects.filter(stream=session.pk)
        assert [line.body["state"] for line in lines.filter(type="status")] == [
            "expired",
            "ending",
            "ended",
        ]
        assert lines.latest("seq").body == {"reason": "expired"}

    def test_the_scheduled_task_alone_ends_it(self):
        session = an_overdue_session()

        cleanup.expire(session_id=session.pk, now=timezone.now())

        assert states() == ["ended"]

    def test_both_together_end_it_once(self):
        session = an_overdue_session()

        for _ in range(2):
            cleanup.expire(session_id=session.pk, now=timezone.now())
            sweeps.cleanup_expired_sessions(now=timezone.now())

        ends = Line.objects.filter(stream=session.pk, type="session_ended")
        assert ends.count() == 1

    def test_too_early_changes_nothing(self):
        session = a_session()

        cleanup.expire(session_id=session.pk, now=timezone.now())

        assert states() == ["active"]

    def test_is_enqueued_if_it_comes_before_the_next_sweep(self):
        now = timezone.now()
        soon = a_session(ttl_minutes=15, now=now - timedelta(minutes=12))
        a_session(ttl_minutes=15, now=now)

        swept = sweeps.cleanup_expired_sessions(now=now)

        assert swept.pending.expiries == [(soon.pk, soon.expires_at)]


class TestFailure:
    def test_does_not_stop_the_others(self):
        broken, intact = an_overdue_session(), an_overdue_session()
        # Its next seq is already used, so the database refuses the line.
        last_seq = Stream.objects.get(pk=broken.pk).last_seq
        Line.objects.create(stream_id=broken.pk, seq=last_seq + 1, type="log", body={})

        result = sweeps.cleanup_expired_sessions(now=timezone.now())

        assert (result.expired, result.failed) == (1, 1)
        intact.refresh_from_db()
        broken.refresh_from_db()
        assert intact.state == "ended"
        assert broken.state == "active"
        assert broken.sealed_credentials is not None

    def test_is_resumed_by_the_next_sweep(self):
        session = a_session()
        services.end_session(session=session, now=timezone.now())

        sweeps.cleanup_expired_sessions(now=timezone.now())

        assert states() == ["ended"]


class TestLostTasks:
    def test_are_found(self):
        session = a_session(now=timezone.now() - timedelta(minutes=1))
        evaluation = services.request_evaluation(
            session=session, now=timezone.now() - timedelta(minutes=1)
        )

        due = sweeps.pending_work(now=timezone.now(), older_than=sweeps.ENQUEUED_FOR)

        assert [pk for pk, _ in due.evaluations] == [evaluation.pk]
        assert [pk for pk, _ in due.preflights] == [session.pk]

    def test_of_new_work_are_not_enqueued_again(self):
        an_evaluation()

        due = sweeps.pending_work(now=timezone.now(), older_than=sweeps.ENQUEUED_FOR)

        assert (due.evaluations, due.preflights) == ([], [])

    def test_of_leased_work_are_enqueued_for_the_end_of_the_lease(self):
        evaluation = an_evaluation()
        later = timezone.now() + timedelta(minutes=2)
        Evaluation.objects.update(leased_until=later)

        due = sweeps.pending_work(now=timezone.now())

        assert due.evaluations == [(evaluation.pk, later)]

    def test_revokes_all_leases_when_the_only_process_starts(self):
        evaluation = an_evaluation()
        Evaluation.objects.update(leased_until=timezone.now() + timedelta(minutes=2))

        sweeps.revoke_all_leases()

        assert Evaluation.objects.get(pk=evaluation.pk).leased_until is None


class TestCounts:
    def test_wrong_counts_are_corrected(self):
        session, other = a_session(), a_session()
        User.objects.filter(pk=session.user_id).update(active_sessions_count=7)

        wrong = displayed_session_counts.update_session_counts(now=timezone.now())

        assert wrong == 1
        assert set(User.objects.values_list("active_sessions_count", flat=True)) == {1}
        assert other.user_id


class TestRefreshMarket:
    def test_refreshes_watched_types(self, market):
        an_emulated_session(market)

        assert refresh.refresh_market(now=timezone.now()) == 1

    def test_without_a_session_aws_is_not_called(self, market):
        before = market.last_request()

        assert refresh.refresh_market(now=timezone.now()) == 0
        assert market.last_request() == before

    def test_refused_credentials_are_replaced_by_the_next_ones(self, market):
        an_emulated_session(market)
        session = an_emulated_session(market)
        other = a_session(credentials=Credentials("AKIA...", "..."), aws_region=session.aws_region)

        assert refresh.refresh_market(now=timezone.now()) == 1
        assert other.pk


@pytest.mark.django_db(transaction=True)
def test_a_worker_runs_the_scheduled_task(worker):
    session = an_overdue_session()

    tasks.cleanup_expired_sessions.delay()

    deadline = timezone.now() + timedelta(seconds=20)
    while states() != ["ended"] and timezone.now() < deadline:
        time.sleep(0.05)
    assert SandboxSession.objects.get(pk=session.pk).state == "ended"
