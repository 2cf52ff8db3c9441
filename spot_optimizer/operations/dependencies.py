"""Checks which parts of the platform are down or late, and what to do about it."""

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

TIMEOUT = 2  # [s] for all checks together
RESTART_PROBE_AFTER = 30.0  # [s] a probe that hangs longer is started again

ADVICE = {
    "database": "The database does not respond. Check that it runs and that DATABASE_URL is "
    "correct.",
    "broker": "The broker does not respond. Check that Redis runs and that REDIS_URL is correct.",
    "redis": "Redis does not respond. Check that it runs and that REDIS_URL is correct.",
    "cache": "The cache does not respond. Restart the server.",
    "worker": "No worker runs background jobs. Check that a worker runs: "
    "celery -A spot_optimizer worker.",
    "schedule": "The periodic jobs are not enqueued. Check that one beat runs: "
    "celery -A spot_optimizer beat.",
}


class Probe:
    """
    A check that runs in its own thread, because a dependency may hang.

    Concurrent callers share one running check: a hanging dependency costs one thread, not one for
    each request.
    """

    def __init__(self, name: str, check: Callable[[], Any]) -> None:
        self.name, self._check = name, check
        self._lock = threading.Lock()
        self._result: Future[Any] | None = None
        self._started_at = 0.0

    def start(self) -> "Future[Any]":
        with self._lock:
            result = self._result
            is_hanging = time.monotonic() - self._started_at > RESTART_PROBE_AFTER
            if result is None or result.done() or is_hanging:
                result = self._result = Future()
                result.set_running_or_notify_cancel()  # a caller's timeout must not cancel it
                self._started_at = time.monotonic()
                args = (result,)
                threading.Thread(target=self._run, args=args, name=self.name, daemon=True).start()
            return result

    def _run(self, result: "Future[Any]") -> None:
        try:
            result.set_result(self._check())
        except Exception as error:
            result.set_exception(error)
        finally:
            connections.close_all()


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_broker() -> None:
    with app.connection_for_write(connect_timeout=TIMEOUT) as broker:
        broker.ensure_connection(max_retries=1, timeout=TIMEOUT)


def _check_cache() -> None:
    cache.get("health")


def _check_background() -> dict[str, str]:
    """
    Return whether workers and beat are late, according to the database.

    Celery's ping would leave a queue in Redis for each check and wait for workers that are down.
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
    """Each dependency is ok or down, each background process ok, late or unknown."""

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


def check() -> Report:
    """Check all dependencies within `TIMEOUT`, even if some hang."""
    results = _start_all()
    wait(results.values(), timeout=TIMEOUT)
    return _report(results)


async def check_async() -> Report:
    results = _start_all()
    await asyncio.wait([asyncio.wrap_future(each) for each in results.values()], timeout=TIMEOUT)
    return _report(results)


def _start_all() -> "dict[str, Future[Any]]":
    return {probe.name: probe.start() for probe in [*DEPENDENCIES, BACKGROUND]}


def _report(results: "Mapping[str, Future[Any]]") -> Report:
    down = {name: why for name, result in results.items() if (why := _problem(result))}
    for name, why in down.items():
        logger.warning("health: %s is down: %s", name, why)
    background = UNKNOWN if BACKGROUND.name in down else results[BACKGROUND.name].result()
    names = [probe.name for probe in DEPENDENCIES]
    return Report({name: "down" if name in down else "ok" for name in names}, background)


def _problem(result: "Future[Any]") -> str:
    if not result.done():
        return "timed out"
    error = result.exception()
    return type(error).__name__ if error else ""
