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

LOOK_EVERY = 0.8  # [s] a look takes time too, and the contract says a second


class Notifications:
    """
    Waits for news of streams: until a nudge brings some, or until it is time to look anyway.

    ``is_news`` says whether the line ``seq`` of a stream would be news. Look before you wait.
    Nothing here raises: with the channel layer away, all is only later. ::

        async with Notifications(is_news) as nudges:
            while not await found():
                await nudges.wait()
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
            async with asyncio.timeout(LOOK_EVERY):
                await self._cancel_task(attempts=10)
                await self._layer.group_discard(GROUP, self._channel)

    async def wait(self) -> None:
        """Return when there is news, and when it is time to look: after about `LOOK_EVERY`."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._receive())
        try:
            # A task of its own: a layer that is slow to give up must not make the look late.
            await asyncio.wait({self._task}, timeout=LOOK_EVERY)
        finally:
            self._task.cancel()
        await self._cancel_task(attempts=2)
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _cancel_task(self, *, attempts: int) -> None:
        for _ in range(attempts):
            if self._task is None or self._task.done():
                return
            # Again: wait_for of Python 3.11, deep in the Redis client, may swallow one.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.05)

    async def _receive(self) -> None:
        try:
            # Each time: this heals a group that was lost with its Redis, or has expired.
            await self._layer.group_add(GROUP, self._channel)
            self._is_unavailable = False
            if not self._joined:
                self._joined = True
                return  # and look: of what came before, nobody told us
            while not self._is_relevant(await self._layer.receive(self._channel)):
                pass
        # Redis's layer raises RuntimeError where an earlier outage has left its state broken.
        except (RedisError, OSError, RuntimeError) as error:
            self._joined = False
            self._warn_unavailable(error)
            await asyncio.sleep(LOOK_EVERY)

    def _is_relevant(self, message: dict[str, Any]) -> bool:
        try:
            return self._is_news(UUID(str(message["stream"])), message["seq"])
        except (KeyError, TypeError, ValueError):
            logger.warning("malformed notification: %r", message)
            return False

    def _warn_unavailable(self, error: Exception) -> None:
        if not self._is_unavailable:
            logger.warning("the channel layer is away, news is late: %r %s", error, error)
        self._is_unavailable = True
