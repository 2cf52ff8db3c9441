import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from streaming.publish import GROUP

logger = logging.getLogger(__name__)

POLL_INTERVAL = 0.8  # [s] with the query itself, lines arrive within the promised second


class Notifications:
    """
    Waits for new lines: until a notification arrives, or until it is time to query anyway.

    ``is_news`` returns whether the line ``seq`` of a stream is new to the caller. Query before the
    first wait. If the channel layer is unavailable, nothing is raised: lines are found later. ::

        async with Notifications(is_news) as notifications:
            while not await found():
                await notifications.wait()
    """

    def __init__(self, is_news: Callable[[UUID, int], bool]) -> None:
        self._is_news = is_news
        self._layer: Any = get_channel_layer()
        self._channel = ""
        self._task: asyncio.Task[None] | None = None
        self._joined = False
        self._is_unavailable = False

    async def __aenter__(self) -> Self:
        self._channel = await self._layer.new_channel()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_unavailable = True  # log no more warnings
        with suppress(RedisError, OSError, RuntimeError):
            async with asyncio.timeout(POLL_INTERVAL):
                await self._cancel_task(attempts=10)
                await self._layer.group_discard(GROUP, self._channel)

    async def wait(self) -> None:
        """Return when there is a new line, or after about `POLL_INTERVAL`."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._receive())
        try:
            # In its own task: a slow channel layer must not delay the next query.
            await asyncio.wait({self._task}, timeout=POLL_INTERVAL)
        finally:
            self._task.cancel()
        await self._cancel_task(attempts=2)
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _cancel_task(self, *, attempts: int) -> None:
        for _ in range(attempts):
            if self._task is None or self._task.done():
                return
            # Repeated: asyncio.wait_for of Python 3.11, used by the Redis client, may lose one.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.05)

    async def _receive(self) -> None:
        try:
            # Each time: a restart of Redis or an expiry removes the channel from the group.
            await self._layer.group_add(GROUP, self._channel)
            self._is_unavailable = False
            if not self._joined:
                self._joined = True
                return  # query now: notifications sent before the group_add did not arrive
            while not self._is_relevant(await self._layer.receive(self._channel)):
                pass
        # channels_redis raises RuntimeError if an earlier outage has left its state inconsistent.
        except (RedisError, OSError, RuntimeError) as error:
            self._joined = False
            self._warn_unavailable(error)
            await asyncio.sleep(POLL_INTERVAL)

    def _is_relevant(self, message: dict[str, Any]) -> bool:
        try:
            return self._is_news(UUID(str(message["stream"])), message["seq"])
        except (KeyError, TypeError, ValueError):
            logger.warning("malformed notification: %r", message)
            return False

    def _warn_unavailable(self, error: Exception) -> None:
        if not self._is_unavailable:
            logger.warning("channel layer unavailable, lines are delayed: %r %s", error, error)
        self._is_unavailable = True
