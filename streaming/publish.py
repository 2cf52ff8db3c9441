"""The only writer of lines, and the builders of what may be written."""

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
    Return a line for a person, not yet published.

    :raises ValueError: the contract knows no such ``log_type`` or ``level``
    """
    if log_type not in LOG_TYPES:
        raise ValueError(f"log_type {log_type!r} is none of {', '.join(sorted(LOG_TYPES))}")
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(sorted(LEVELS))}")
    staged = {} if stage is None else {"stage": stage}
    return _line(
        Line.Type.LOG, {"log_type": log_type, **staged, "message": message, "level": level}
    )


def decision(evaluation: Mapping[str, Any]) -> Line:
    """
    Return the line that tells a settled evaluation; ``evaluation`` is plain JSON, no Decimal.

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
    """Return the last line of a stream: nothing may be published behind it."""
    return _line(Line.Type.SESSION_ENDED, {"reason": reason})


def _line(kind: Line.Type, body: dict[str, Any]) -> Line:
    json.dumps(body, allow_nan=False)  # a NaN would break every browser that reads the line
    return Line(type=kind, body=body)


@transaction.atomic
def publish(stream_id: UUID, *lines: Line) -> None:
    """
    Append lines to a stream, in the caller's transaction: with it they are there, or never were.

    The stream's row stays locked until then, so that numbers become visible in their order:
    publish last, and to one stream in a transaction. Watchers are nudged once, after the commit;
    with the channel layer away that costs at most `PATIENCE`, and then nothing for `SILENCE`.
    """
    if not lines:
        return
    last_seq = _reserve(stream_id, len(lines))
    for seq, line in enumerate(lines, start=last_seq - len(lines) + 1):
        line.stream_id, line.seq = stream_id, seq
    Line.objects.bulk_create(lines)
    # Robust: nobody's work fails because a nudge is lost. The look of the next second finds it.
    transaction.on_commit(lambda: _notify(stream_id, last_seq), robust=True)


# One statement takes the numbers, locks the row, and makes it for a stream's first line.
RESERVE = f"""
    INSERT INTO {Stream._meta.db_table} AS stream (id, last_seq) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET last_seq = stream.last_seq + excluded.last_seq
    RETURNING last_seq
"""  # noqa: S608  # the name is ours


def _reserve(stream_id: UUID, count: int) -> int:
    key = Stream._meta.pk.get_db_prep_value(stream_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [key, count])
        last_seq: int = cursor.fetchone()[0]
    return last_seq


PATIENCE = 0.5  # [s] for one nudge
SILENCE = 5.0  # [s] without nudges after one that failed, or a job of 20 lines would wait 20 times
_silent_until = 0.0  # [s] on the monotonic clock


def _notify(stream_id: UUID, seq: int) -> None:
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        asyncio.run_coroutine_threadsafe(_send_notification(stream_id, seq), _loop()).result()
    except (RedisError, OSError, ChannelFull) as error:
        _silent_until = time.monotonic() + SILENCE
        logger.warning(
            "the channel layer is away, watchers look for themselves: %r %s", error, error
        )


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop that sends nudges: on a loop for each, each would connect to Redis anew."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="notifications", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_loop.cache_clear)  # threads stay with the parent


async def _send_notification(stream_id: UUID, seq: int) -> None:
    async with asyncio.timeout(PATIENCE):  # its TimeoutError is an OSError
        await get_channel_layer().group_send(
            GROUP, {"type": "notification", "stream": str(stream_id), "seq": seq}
        )
