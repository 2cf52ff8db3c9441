"""Prometheus metrics read from the database: the same from every process."""

from collections.abc import Iterator
from datetime import datetime

from celery import states
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from spot_optimizer.operations import queries
from spot_optimizer.operations.queries import Job, Queue


class DatabaseCollector(Collector):
    """Reads the database once, when it is created; ``collect`` makes no query."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self.queue = queries.queue(now=now)
        self.sessions = queries.sessions_by_state()
        self.jobs = queries.jobs(now=now)

    def collect(self) -> Iterator[Metric]:
        yield from _queue(self.queue, self.now)
        sessions = _gauge("sessions", "Sessions that have not ended, by state.", ["state"])
        for state, number in self.sessions.items():
            sessions.add_metric([state], number)
        yield sessions
        yield from _jobs(self.jobs)


def _gauge(name: str, documentation: str, labels: list[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"spot_optimizer_{name}", documentation, labels=labels or [])


def _queue(queue: Queue, now: datetime) -> Iterator[Metric]:
    pending = _gauge("evaluations_pending", "Pending evaluations.")
    pending.add_metric([], queue.pending)
    yield pending
    oldest = _gauge("evaluations_oldest_pending_seconds", "Age of the oldest pending evaluation.")
    age = (now - queue.oldest_at).total_seconds() if queue.oldest_at else 0.0
    oldest.add_metric([], max(0.0, age))
    yield oldest


def _jobs(jobs: list[Job]) -> Iterator[Metric]:
    """One series for each job of the schedule, including those that operators add."""
    started = _gauge("job_last_start_timestamp_seconds", "Start of the last run.", ["job"])
    duration = _gauge("job_last_run_seconds", "Duration of the last finished run.", ["job"])
    succeeded = _gauge("job_last_run_succeeded", "1 if the last finished run succeeded.", ["job"])
    late = _gauge("job_late", "1 if the job is due and beat or the workers are late.", ["job"])
    for job in jobs:
        late.add_metric([job.task.name], float(job.is_late or job.not_picked_up))
        run = job.last_run
        if run is None:
            continue
        started.add_metric([job.task.name], run.date_created.timestamp())
        if run.status in states.READY_STATES:
            duration.add_metric([job.task.name], (run.date_done - run.date_created).total_seconds())
            succeeded.add_metric([job.task.name], float(run.status == states.SUCCESS))
    yield from (started, duration, succeeded, late)
