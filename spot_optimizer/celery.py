"""The Celery application, and the logs and metrics of each task."""

import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from celery import Celery, signals
from django.conf import settings
from prometheus_client import start_http_server

from spot_optimizer.bootstrap.secrets import check_environment
from spot_optimizer.observability import logs, metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
check_environment()

logger = logging.getLogger(__name__)
NO_BROKER = (
    "REDIS_URL is not set, so this process receives no tasks from other processes. Set it, or run "
    "manage.py quickstart, which runs web, worker and beat in one process."
)

app = Celery("spot_optimizer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def use_django_logging(**_: object) -> None:
    """With a receiver connected, Celery does not replace the settings' LOGGING."""


@signals.beat_init.connect
def stop_between_ticks(sender: Any, **_: object) -> None:
    """Celery's own signal handler uses the database connection during a query and may hang."""
    if threading.current_thread() is threading.main_thread():  # not in the embedded beat
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sender.stop())


@signals.beat_init.connect
@signals.celeryd_after_setup.connect
def warn_without_broker(**_: object) -> None:
    is_embedded = threading.current_thread() is not threading.main_thread()
    if not (settings.REDIS_URL or is_embedded):
        logger.warning(NO_BROKER)


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: object) -> None:
    if request_id := logs.get("request_id"):
        headers["request_id"] = request_id


@signals.task_prerun.connect
def bind_log_context(task_id: str, task: Any, kwargs: dict[str, Any], **_: object) -> None:
    request = task.request
    request.started_at = time.perf_counter()
    request.log_token = logs.bind(
        task_id=task_id,
        request_id=getattr(request, "request_id", None),
        session_id=kwargs.get("session_id"),
    )


@signals.task_postrun.connect
def record_task(task: Any, state: str | None, **_: object) -> None:
    seconds = time.perf_counter() - task.request.started_at
    metrics.tasks.labels(task=task.name, state=state or "UNKNOWN").inc()
    metrics.task_seconds.labels(task=task.name).observe(seconds)
    logs.reset(task.request.log_token)


@signals.celeryd_after_setup.connect
def serve_metrics(instance: Any, **_: object) -> None:
    """Serve a worker's metrics on METRICS_PORT: a worker has no other HTTP server."""
    host, port = settings.METRICS_HOST, settings.METRICS_PORT
    if not port:
        return
    if instance.pool_cls.__module__ == "celery.concurrency.prefork":
        sys.exit("METRICS_PORT requires --pool threads: prefork processes do not share metrics.")
    try:
        start_http_server(port, host)
    except OSError as error:
        sys.exit(f"Cannot listen on METRICS_PORT {port} of {host} ({error.strerror}). Set another.")
