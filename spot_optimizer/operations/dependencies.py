"""Which parts of the platform are down or late, and what is to be done about it?"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.utils import timezone

from spot_optimizer.celery import app
from spot_optimizer.operations import queries

logger = logging.getLogger(__name__)

WITHIN = 2  # [s] for all of them together
RESTART_PROBE_AFTER = 30.0  # [s] a probe that hangs for so long is asked again

ADVICE = {
    "database": "The database does not answer. Check that it runs and that DATABASE_URL leads "
    "to it.",
    "broker": "The broker does not answer. Check that Redis runs and that REDIS_URL leads to it.",
    "redis": "Redis does not answer. Check that it runs and that REDIS_URL leads to it.",
    "cache": "The cache does not answer. Start the server again.",
    "worker": "Nobody takes up background work. Check that a worker runs: "
    "celery -A spot_optimizer worker.",
    "schedule": "Nobody asks for the periodic jobs. Check that one beat runs: "
    "celery -A spot_optimizer beat.",
}


class Probe:
    """
    Something to be asked of a dependency, in a thread, for a dependency may hang.

    While one is under way, who asks shares its answer: a hang costs one thread, not one a request.
    """

    def __init__(self, name: str, ask: Callable[[], Any]) -> None:
        self.name, self._check = name, ask
        self._lock = threading.Lock()
        self._answer: Future[Any] | None = None
        self._started_at = 0.0

    def start(self) -> "Future[Any]":
        with self._lock:
            answer = self._answer
            is_hanging = time.monotonic() - self._started_at > RESTART_PROBE_AFTER
            if answer is None or answer.done() or is_hanging:
                answer = self._answer = Future()
                answer.set_running_or_notify_cancel()  # so nobody's impatience cancels it
                self._started_at = time.monotonic()
                args = (answer,)
                threading.Thread(target=self._run, args=args, name=self.name, daemon=True).start()
            return answer

    def _run(self, answer: "Future[Any]") -> None:
        try:
            answer.set_result(self._check())
        except Exception as error:
            answer.set_exception(error)
        finally:
            connections.close_all()


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_broker() -> None:
    with app.connection_for_write(connect_timeout=WITHIN) as broker:
        broker.ensure_connection(max_retries=1, timeout=WITHIN)


def _check_cache() -> None:
    cache.get("health")


def _check_background() -> dict[str, str]:
    """
    Return whether workers and beat come to what is due, as the rows tell.

    Celery's own ping would leave a queue in Redis for each look, and waits for silent workers.
    """
    now = timezone.now()
    jobs = queries.jobs(now=now)
    not_picked_up = queries.queue(now=now).not_picked_up or any(job.not_picked_up for job in jobs)
    is_late = any(job.is_late for job in jobs)
    return {
        "worker": "late" if not_picked_up else "ok",
        "schedule": "late" if is_late else "ok",
    }


DEPENDENCIES = [
    Probe("database", _check_database),
    Probe("broker", _check_broker),
    Probe("redis" if settings.REDIS_URL else "cache", _check_cache),
]
BACKGROUND = Probe("background", _check_background)
UNKNOWN = {"worker": "unknown", "schedule": "unknown"}


class Report(NamedTuple):
    """What was found: each dependency is ok or down, the background ok, late or unknown."""

    dependencies: dict[str, str]
    background: dict[str, str]

    @property
    def is_up(self) -> bool:
        return set(self.dependencies.values()) == {"ok"}

    @property
    def status(self) -> str:
        if not self.is_up:
            return "unavailable"
        return "ok" if "late" not in self.background.values() else "degraded"

    @property
    def advice(self) -> list[str]:
        states = self.dependencies | self.background
        return [ADVICE[name] for name, state in states.items() if state in ("down", "late")]


def look() -> Report:
    """Ask all dependencies; return within `WITHIN`, whatever they do."""
    answers = _start_all()
    wait(answers.values(), timeout=WITHIN)
    return _report(answers)


async def look_without_thread() -> Report:
    answers = _start_all()
    await asyncio.wait([asyncio.wrap_future(each) for each in answers.values()], timeout=WITHIN)
    return _report(answers)


def _start_all() -> "dict[str, Future[Any]]":
    return {probe.name: probe.start() for probe in [*DEPENDENCIES, BACKGROUND]}


def _report(answers: "Mapping[str, Future[Any]]") -> Report:
    down = {name: why for name, answer in answers.items() if (why := _trouble(answer))}
    for name, why in down.items():
        logger.warning("health: %s is down: %s", name, why)
    background = UNKNOWN if BACKGROUND.name in down else answers[BACKGROUND.name].result()
    names = [probe.name for probe in DEPENDENCIES]
    return Report({name: "down" if name in down else "ok" for name in names}, background)


def _trouble(answer: "Future[Any]") -> str:
    if not answer.done():
        return "no answer in time"
    error = answer.exception()
    return type(error).__name__ if error else ""
