import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError
from django.utils import timezone

from sandbox.queries import WatchedSession, get_watched_session
from spot_optimizer.errors import DomainError, Forbidden, Invalid, Missing, Unavailable
from spot_optimizer.observability import logs, metrics
from streaming.db_threads import in_thread
from streaming.frames import encode, instant
from streaming.models import Line
from streaming.origins import check_origin
from streaming.reader import ReaderStopped, reader

logger = logging.getLogger(__name__)

ENDED = 4410
INTERNAL_ERROR = 1011
CLOSE_CODES: dict[type[DomainError], int] = {
    Missing: 4404,
    Forbidden: 4403,
    Invalid: 4400,
    Unavailable: INTERNAL_ERROR,
}
PING = re.compile(r'\s*(ping|\{\s*"type"\s*:\s*"ping"\s*\})\s*')


class SessionConsumer(AsyncWebsocketConsumer):
    """Forwards the lines of one session to one client."""

    channel_layer_alias = None  # lines come from the reader: a Redis restart closes no socket
    forwarding: asyncio.Task[None] | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.forwarding is not None:
                self.forwarding.cancel()

    async def connect(self) -> None:
        await self.accept()  # browsers see a close before this as a 403 without a reason
        try:
            check_origin(self.scope["headers"])
            query = _query(self.scope)
            session = await self._session(ticket=query.get("ticket", [""])[0])
            after = _start(session, query.get("after", []))
        except DomainError as error:
            await self._reject(error)
            return
        await self._send_event(
            "welcome",
            session_id=str(session.id),
            last_seq=session.last_seq,
            expires_at=instant(session.expires_at),
        )
        logs.bind(session_id=session.id)  # until the connection ends
        self.forwarding = asyncio.create_task(self._forward(session, after))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        with suppress(OSError):  # disconnected, or too slow and about to be
            if text_data is not None and PING.fullmatch(text_data):
                await self._send_event("pong")
            else:
                await self._send_event("error", code="not_understood", detail="Send only ping.")

    async def _session(self, *, ticket: str) -> WatchedSession:
        try:
            return await in_thread(get_watched_session)(
                session_id=self.scope["url_route"]["kwargs"].get("session_id", ""),
                user=self.scope["user"],
                ticket=ticket,
            )
        except DatabaseError as error:
            logger.warning("a client was rejected: the database is unavailable", exc_info=True)
            raise Unavailable("The database is unavailable. Connect again in a moment.") from error

    async def _forward(self, session: WatchedSession, after: int) -> None:
        code = INTERNAL_ERROR
        try:
            code = await self._forward_lines(session, after)
        except (OSError, ReaderStopped):
            pass  # the client has disconnected, or the reader has logged the error
        except DatabaseError:
            logger.warning("a client was disconnected: the database is unavailable", exc_info=True)
        finally:
            # Always close: a client with an open socket expects to receive every new line.
            with suppress(OSError):
                await self.close(code)

    async def _forward_lines(self, session: WatchedSession, after: int) -> int:
        if session.has_ended and after >= session.last_seq:
            return ENDED
        async with aclosing(reader().frames(session.id, after=after)) as frames:
            async for frame in frames:
                await self.send(text_data=frame.text)
                if frame.seq > session.last_seq:  # stored before the connection: no lag
                    metrics.stream_lag_seconds.observe(max(0.0, time.time() - frame.stored))
                was_last = session.has_ended and frame.seq == session.last_seq
                if was_last or frame.type == Line.Type.SESSION_ENDED:
                    return ENDED
        return INTERNAL_ERROR

    async def _reject(self, error: DomainError) -> None:
        await self._send_event("error", code=error.code, detail=str(error))
        await self.close(
            next(code for kind, code in CLOSE_CODES.items() if isinstance(error, kind))
        )

    async def _send_event(self, kind: str, **fields: object) -> None:
        now = instant(timezone.now())
        await self.send(text_data=encode({"type": kind, "timestamp": now, **fields}))


def _query(scope: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _start(session: WatchedSession, values: list[str]) -> int:
    """
    Return the seq after which the client's lines start.

    :raises Invalid: ``after`` is not a number, or given twice
    """
    if not values:
        # Every client receives session_ended.
        return max(session.last_seq - 1, 0) if session.has_ended else session.last_seq
    text = values[0]
    if len(values) > 1 or not (text.isascii() and text.isdecimal()):
        raise Invalid("after= takes one number: the seq of the last line you have seen.")
    digits = text.lstrip("0") or "0"
    # Python does not parse numbers of thousands of digits, and no seq is that long.
    return min(int(digits), session.last_seq) if len(digits) < 20 else session.last_seq
