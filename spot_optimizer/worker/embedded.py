"""A Celery worker and beat in threads of the web process: the default without Redis."""

import logging
import threading
from types import TracebackType
from typing import Any, Self

from celery import beat
from celery.worker import WorkController

from spot_optimizer.celery import app

logger = logging.getLogger(__name__)

CONCURRENCY = 8


class EmbeddedWorker:
    """Runs a Celery worker and beat in threads of this process, within a ``with`` block."""

    def __init__(self) -> None:
        # It is the only worker: there is none to synchronize with.
        self.worker: Any = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=CONCURRENCY,
            hostname="embedded@localhost",
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        # Without scheduler_cls the service would silently use a schedule file.
        self.beat: Any = beat.EmbeddedService(
            app, thread=True, scheduler_cls=app.conf.beat_scheduler
        )
        self.thread = threading.Thread(target=self.worker.start, name="worker", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        self.beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.beat.stop()
        self.worker.stop()
        self.thread.join(timeout=10)
