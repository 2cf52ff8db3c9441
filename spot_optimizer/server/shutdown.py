"""How a process of ours ends: what is under way is finished, but nobody is waited for for ever."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.05  # [s]
ANSWER_WITHIN = 12.0  # [s] the longest wait of an evaluation, and some
FAREWELL = 2.0  # [s] for clients to take their close frame, and for cancelled requests to end


async def drain(connections: Mapping[Any, Mapping[str, Any]]) -> None:
    """
    Let the requests under way be answered and close the sockets, within a bounded time.

    ``connections`` is what Daphne knows of each protocol; nothing new may be let in any more.
    """
    since = time.monotonic()
    while time.monotonic() - since < ANSWER_WITHIN:
        for protocol in connections:
            protocol.go_away()
        # A socket that does not close has had its chance; a request may need longer.
        is_patient = time.monotonic() - since < FAREWELL
        if not any(protocol.is_waited_for or is_patient for protocol in _running(connections)):
            break
        await asyncio.sleep(LOOK_EVERY)
    await _cancel(list(_running(connections).values()))


def _running(connections: Mapping[Any, Mapping[str, Any]]) -> dict[Any, asyncio.Future[None]]:
    tasks = {
        protocol: details.get("application_instance") for protocol, details in connections.items()
    }
    return {protocol: task for protocol, task in tasks.items() if task and not task.done()}


async def _cancel(tasks: list[asyncio.Future[None]]) -> None:
    if not tasks:
        return
    logger.warning("stopping: %s under way are cut off", len(tasks))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=FAREWELL)


def end_within(seconds: float, last_words: Callable[[], None] = lambda: None) -> None:
    """
    End this process after ``seconds``, whatever still runs: Python waits for threads for ever.

    Before that ``last_words`` has a moment for what must not be left undone.
    """
    thread = threading.Thread(target=_end, args=(seconds, last_words), name="end", daemon=True)
    thread.start()


def _end(seconds: float, last_words: Callable[[], None]) -> None:
    time.sleep(seconds)
    logger.warning("stopping: what still runs is cut off after %.0f s", seconds)
    speaking = threading.Thread(target=last_words, daemon=True)
    speaking.start()
    speaking.join(timeout=5)
    os._exit(0)
