"""Builds and publishes lines; nothing else writes them."""

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import connection, transaction
from redis.exceptions import RedisError

from streaming.models import Line, Stream

logger = logging.getLogger(__name__)

GROUP = "notifications"  # one group for all processes: a message names a stream and a line

LOG_TYPES = frozenset(
    ["PREFLIGHT", "SCRAPER", "FILTER", "MODEL", "DECISION", "SIGNAL", "SWITCH", "CLEANUP", "SYSTEM"]
)
LEVELS = frozenset(["DEBUG", "INFO", "WARNING", "ERROR"])


def log(log_type: str, message: str, *, level: str = "INFO", stage: str | None = None) -> Line:
    """
    Return an unpublished log line.

    :raises ValueError: ``log_type`` or ``level`` is not one of the API's
    """
    if log_type not in LOG_TYPES:
        raise ValueError(f"log_type {log_type!r} is not one of {', '.join(sorted(LOG_TYPES))}")
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is not one of {', '.join(sorted(LEVELS))}")
    staged = {} if stage is None else {"stage": stage}
    return _line(
        Line.Type.LOG, {"log_type": log_type, **staged, "message": message, "level": level}
    )


def decision(evaluation: Mapping[str, Any]) -> Line:
    """
    Return the line of a settled evaluation; ``evaluation`` is plain JSON without Decimals.

    :raises ValueError: a number in it is not finite
    """
    return _line(Line.Type.DECISION, {"evaluation": dict(evaluation)})


def progress(switch_id: UUID, step: str, percent: float) -> Line:
    return _line(
        Line.Type.PROGRESS, {"switch_id": str(switch_id), "step": step, "percent": percent}
    )


def status(state: str) -> Line:
    return _line(Line.Type.STATUS, {"state": str(state)})


def session_ended(reason: str) -> Line:
    """Return the last line of a stream: nothing may be published after it."""
    return _line(Line.Type.SESSION_ENDED, {"reason": reason})


def _line(kind: Line.Type, body: dict[str, Any]) -> Line:
    json.dumps(body, allow_nan=False)  # browsers cannot parse NaN
    return Line(type=kind, body=body)


@transaction.atomic
def publish(stream_id: UUID, *lines: Line) -> None:
    """
    Append lines to a stream, in the caller's transaction.

    The stream's row is locked until the commit, so that lines become visible in order: publish
    last, and to one stream per transaction. Readers are notified once, after the commit. If the
    channel layer is unavailable, a notification takes up to `NOTIFY_TIMEOUT`, and further ones are
    skipped for `RETRY_AFTER`.
    """
    if not lines:
        return
    last_seq = _reserve(stream_id, len(lines))
    for seq, line in enumerate(lines, start=last_seq - len(lines) + 1):
        line.stream_id, line.seq = stream_id, seq
    Line.objects.bulk_create(lines)
    # Robust: a lost notification must not fail the caller. The next poll finds the lines.
    transaction.on_commit(lambda: _notify(stream_id, last_seq), robust=True)


# One statement reserves the numbers, locks the row, and creates it for the first line.
RESERVE = f"""
    INSERT INTO {Stream._meta.db_table} AS stream (id, last_seq) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET last_seq = stream.last_seq + excluded.last_seq
    RETURNING last_seq
"""  # noqa: S608  # a constant table name


def _reserve(stream_id: UUID, count: int) -> int:
    key = Stream._meta.pk.get_db_prep_value(stream_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [key, count])
        last_seq: int = cursor.fetchone()[0]
    return last_seq


NOTIFY_TIMEOUT = 0.5  # [s] for one notification
RETRY_AFTER = 5.0  # [s] after a failure, or a job of 20 lines would wait 20 times
_retry_at = 0.0  # [s] on the monotonic clock


def _notify(stream_id: UUID, seq: int) -> None:
    global _retry_at
    if time.monotonic() < _retry_at:
        return
    try:
        asyncio.run_coroutine_threadsafe(_send_notification(stream_id, seq), _loop()).result()
    except (RedisError, OSError, ChannelFull) as error:
        _retry_at = time.monotonic() + RETRY_AFTER
        logger.warning("the channel layer is unavailable, readers poll: %r %s", error, error)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop that sends notifications; a loop for each would open a connection each."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="notifications", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_loop.cache_clear)  # a forked child has no threads


async def _send_notification(stream_id: UUID, seq: int) -> None:
    async with asyncio.timeout(NOTIFY_TIMEOUT):  # its TimeoutError is an OSError
        await get_channel_layer().group_send(
            GROUP, {"type": "notification", "stream": str(stream_id), "seq": seq}
        )
