"""Graceful shutdown of the web server with a time limit."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger(__name__)

POLL_INTERVAL = 0.05  # [s]
REQUEST_TIMEOUT = 12.0  # [s] longer than the longest wait of `POST …/evaluate`
CLOSE_TIMEOUT = 2.0  # [s] for clients to answer the close frame and for tasks to be canceled


async def drain(connections: Mapping[Any, Mapping[str, Any]]) -> None:
    """
    Finish running requests and close WebSockets, within a time limit.

    ``connections`` is Daphne's; the server must have stopped listening.
    """
    since = time.monotonic()
    while time.monotonic() - since < REQUEST_TIMEOUT:
        for protocol in connections:
            protocol.shutdown()
        is_closing = time.monotonic() - since < CLOSE_TIMEOUT
        if not any(protocol.delays_shutdown or is_closing for protocol in _running(connections)):
            break
        await asyncio.sleep(POLL_INTERVAL)
    await _cancel(list(_running(connections).values()))


def _running(connections: Mapping[Any, Mapping[str, Any]]) -> dict[Any, asyncio.Future[None]]:
    tasks = {
        protocol: details.get("application_instance") for protocol, details in connections.items()
    }
    return {protocol: task for protocol, task in tasks.items() if task and not task.done()}


async def _cancel(tasks: list[asyncio.Future[None]]) -> None:
    if not tasks:
        return
    logger.warning("shutdown: %s unfinished connections are canceled", len(tasks))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
