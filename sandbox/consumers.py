import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseTrouble
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
BROKEN = 1011
CLOSE: dict[type[DomainError], int] = {
    Missing: 4404,
    Forbidden: 4403,
    Invalid: 4400,
    Unavailable: BROKEN,
}
PING = re.compile(r'\s*(ping|\{\s*"type"\s*:\s*"ping"\s*\})\s*')


class SessionConsumer(AsyncWebsocketConsumer):
    """Starts, stops, and passes one session's lines on to one watcher."""

    channel_layer_alias = None  # only the reader listens: a Redis restart closes no socket
    passing_on: asyncio.Task[None] | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.passing_on is not None:
                self.passing_on.cancel()

    async def connect(self) -> None:
        await self.accept()  # a close before this would reach the browser as a bare 403
        try:
            check_origin(self.scope["headers"])
            query = _query_of(self.scope)
            session = await self._session(ticket=query.get("ticket", [""])[0])
            after = _start(session, query.get("after", []))
        except DomainError as refusal:
            await self._refuse(refusal)
            return
        await self._tell(
            "welcome",
            session_id=str(session.id),
            last_seq=session.last_seq,
            expires_at=instant(session.expires_at),
        )
        logs.bind(session_id=session.id)  # for as long as this connection lives
        self.passing_on = asyncio.create_task(self._pass_on(session, after))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        with suppress(OSError):  # it is gone, or too slow: its disconnect is on the way
            if text_data is not None and PING.fullmatch(text_data):
                await self._tell("pong")
            else:
                await self._tell("error", code="not_understood", detail="Only ping is understood.")

    async def _session(self, *, ticket: str) -> WatchedSession:
        try:
            return await in_thread(get_watched_session)(
                session_id=self.scope["url_route"]["kwargs"].get("session_id", ""),
                user=self.scope["user"],
                ticket=ticket,
            )
        except DatabaseTrouble as error:
            logger.warning("a watcher is turned away: the database is away", exc_info=True)
            raise Unavailable("The database is away. Connect again in a moment.") from error

    async def _pass_on(self, session: WatchedSession, after: int) -> None:
        code = BROKEN
        try:
            code = await self._pass_lines_on(session, after)
        except (OSError, ReaderStopped):
            pass  # nobody is there to be told; or the reader has said what happened
        except DatabaseTrouble:
            logger.warning("a watcher is sent away: the database is away", exc_info=True)
        finally:
            # Whatever ended this: who hears nothing must never believe that nothing happens.
            with suppress(OSError):
                await self.close(code)

    async def _pass_lines_on(self, session: WatchedSession, after: int) -> int:
        if session.has_ended and after >= session.last_seq:
            return ENDED
        async with aclosing(reader().frames(session.id, after=after)) as frames:
            async for frame in frames:
                await self.send(text_data=frame.text)
                if frame.seq > session.last_seq:  # what was there before is no news
                    metrics.stream_lag_seconds.observe(max(0.0, time.time() - frame.stored))
                was_last = session.has_ended and frame.seq == session.last_seq
                if was_last or frame.type == Line.Type.SESSION_ENDED:
                    return ENDED
        return BROKEN

    async def _refuse(self, refusal: DomainError) -> None:
        await self._tell("error", code=refusal.code, detail=str(refusal))
        await self.close(next(code for kind, code in CLOSE.items() if isinstance(refusal, kind)))

    async def _tell(self, kind: str, **fields: object) -> None:
        now = instant(timezone.now())
        await self.send(text_data=encode({"type": kind, "timestamp": now, **fields}))


def _query_of(scope: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _start(session: WatchedSession, afters: list[str]) -> int:
    """
    Return the line behind which a watcher starts.

    :raises Invalid: ``after`` is no number, or given twice
    """
    if not afters:
        # session_ended is told to all.
        return max(session.last_seq - 1, 0) if session.has_ended else session.last_seq
    text = afters[0]
    if len(afters) > 1 or not (text.isascii() and text.isdecimal()):
        raise Invalid("after= takes one number: the seq of the last line you have seen.")
    digits = text.lstrip("0") or "0"
    # Python refuses to read numbers of thousands of digits; nothing that long is in a stream.
    return min(int(digits), session.last_seq) if len(digits) < 20 else session.last_seq
