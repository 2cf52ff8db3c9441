"""Each run of a periodic job leaves a row that says what it did; nothing else leaves one."""

import time
from datetime import timedelta

import pytest
from celery import shared_task
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from lab.tasks import cleanup_old_experiment_logs
from sandbox import tasks
from sandbox.testing import a_session, an_evaluation
from spot_optimizer.operations import services
from spot_optimizer.operations.jobs import cleanup_old_job_runs
from spot_optimizer.operations.queries import jobs, result_text

MARK = "PLANTED/secret+of/nobody+0123456789abcdef"


@shared_task(name="tests.fails", ignore_result=False)
def fails(secret, *, token):
    raise ValueError(f"{secret} {token} is wrong")


def run_of(result, *, state="SUCCESS"):
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        run = TaskResult.objects.filter(task_id=result.id, status=state).first()
        if run:
            return run
        time.sleep(0.05)
    raise AssertionError(f"no run in state {state}: {TaskResult.objects.values()}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
class TestARealWorker:
    def test_stores_the_result_time_and_worker_of_a_run(self):
        before = timezone.now()
        a_session(ttl_minutes=15, now=before - timedelta(minutes=16))

        run = run_of(tasks.cleanup_expired_sessions.delay())

        assert result_text(run).startswith("expired 1, cleaned up 0, given up 0, failed 0")
        assert before <= run.date_created <= run.date_done <= timezone.now()
        assert run.task_name == "sandbox.cleanup_expired_sessions"
        assert run.worker

    @pytest.mark.parametrize(
        ("job", "did"),
        [
            (tasks.update_session_counts, "corrected 0"),
            (tasks.refresh_market, "refreshed 0"),
            (cleanup_old_experiment_logs, "files 0, rows 0, failures 0"),
        ],
    )
    def test_knows_what_each_job_returns(self, job, did):
        assert result_text(run_of(job.delay())) == did

    def test_stores_neither_arguments_nor_exception_messages(self):
        run = run_of(fails.delay(MARK, token=MARK), state="FAILURE")

        assert result_text(run) == "ValueError"
        [row] = TaskResult.objects.filter(pk=run.pk).values_list()
        assert MARK not in str(row)
        assert run.traceback is None

    def test_leaves_no_row_for_what_every_evaluation_needs(self):
        session = a_session()
        an_evaluation(session)
        marker = run_of(tasks.update_session_counts.delay())

        assert list(TaskResult.objects.all()) == [marker]

    def test_a_manual_run_is_the_last_run_of_its_job(self):
        job, _ = PeriodicTask.objects.get_or_create(
            name="counts",
            defaults={"task": "sandbox.update_session_counts", "interval": an_interval()},
        )

        services.run_job(job=job)

        found = until_run("counts")
        assert found.did == "corrected 0"


def an_interval():
    return IntervalSchedule.objects.get_or_create(every=1, period="days")[0]


def until_run(name):
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        [job] = [job for job in jobs(now=timezone.now()) if job.task.name == name]
        if job.last_run and job.last_run.status == "SUCCESS":
            return job
        time.sleep(0.05)
    raise AssertionError("it did not run")


@pytest.mark.django_db
class TestOldRuns:
    def test_are_deleted_and_younger_ones_stay(self, settings):
        old, young = [TaskResult.objects.create(task_id=name) for name in ("old", "young")]
        age = timedelta(days=settings.JOB_RUN_DAYS)
        TaskResult.objects.filter(pk=old.pk).update(date_done=timezone.now() - age)

        assert cleanup_old_job_runs(now=timezone.now()) == 1
        assert cleanup_old_job_runs(now=timezone.now()) == 0
        assert list(TaskResult.objects.all()) == [young]

    def test_are_deleted_daily_by_a_job_that_operators_can_edit(self):
        job = PeriodicTask.objects.get(name="cleanup_old_job_runs")

        assert (job.task, job.enabled) == ("operations.cleanup_old_job_runs", True)
        assert (job.crontab.hour, job.crontab.minute) == ("3", "0")


@pytest.mark.django_db
class TestLateness:
    def a_job(self, **fields):
        PeriodicTask.objects.filter(name="refresh_market").update(**fields)
        now = timezone.now()
        [job] = [job for job in jobs(now=now) if job.task.name == "refresh_market"]
        return job

    @pytest.mark.parametrize(("minutes", "is_late"), [(4, False), (6, False), (8, True)])
    def test_a_beat_that_does_not_come_is_seen(self, minutes, is_late):
        last = timezone.now() - timedelta(minutes=minutes)

        assert self.a_job(last_run_at=last).is_late is is_late

    def test_a_daily_job_is_late_only_on_the_next_day(self):
        now = timezone.now()
        three = now.replace(hour=3, minute=0, second=1)
        last = three if three <= now else three - timedelta(days=1)
        PeriodicTask.objects.filter(name="cleanup_old_job_runs").update(last_run_at=last)

        def is_late(at):
            [job] = [job for job in jobs(now=at) if job.task.name == "cleanup_old_job_runs"]
            return job.is_late

        assert not is_late(last + timedelta(hours=23))
        assert is_late(last + timedelta(hours=25))

    def test_a_job_that_is_switched_off_is_not_late(self):
        job = self.a_job(last_run_at=timezone.now() - timedelta(days=9), enabled=False)

        assert not job.is_late
        assert not job.not_picked_up

    def test_a_worker_that_does_not_come_is_seen(self):
        enqueued_at = timezone.now() - timedelta(minutes=3)

        assert self.a_job(last_run_at=enqueued_at).not_picked_up
        run = TaskResult.objects.create(task_id="x", periodic_task_name="refresh_market")
        assert not self.a_job(last_run_at=enqueued_at).not_picked_up
        assert self.a_job(last_run_at=enqueued_at).last_run == run
