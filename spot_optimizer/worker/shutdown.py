"""A time limit for the shutdown of a process, worker or web."""

import logging
import os
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

CALLBACK_TIMEOUT = 5.0  # [s]


def exit_after(seconds: float, on_timeout: Callable[[], None] = lambda: None) -> None:
    """
    Exit this process after ``seconds``: Python itself waits for running threads without limit.

    ``on_timeout`` is called before, and may take up to `CALLBACK_TIMEOUT`.
    """
    args = (seconds, on_timeout)
    threading.Thread(target=_exit, args=args, name="exit-after", daemon=True).start()


def _exit(seconds: float, on_timeout: Callable[[], None]) -> None:
    time.sleep(seconds)
    logger.warning("shutdown: unfinished work is canceled after %.0f s", seconds)
    callback = threading.Thread(target=on_timeout, daemon=True)
    callback.start()
    callback.join(timeout=CALLBACK_TIMEOUT)
    os._exit(0)
