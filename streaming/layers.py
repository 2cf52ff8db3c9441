"""A channel layer for one process with many threads."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from copy import deepcopy
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

Message = dict[str, Any]


class _Posted(NamedTuple):
    expires_at: float  # [s] on the monotonic clock
    message: Message


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
            self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class _Box:
    """What waits for one channel, at most its capacity, and who waits for it."""

    def __init__(self, capacity: int) -> None:
        self.posts: deque[_Posted] = deque(maxlen=capacity)
        self.waiters: set[_Waiter] = set()

    def drop_expired(self) -> None:
        now = time.monotonic()
        while self.posts and self.posts[0].expires_at <= now:
            self.posts.popleft()


class ThreadSafeLayer(BaseChannelLayer):
    """
    Channel layer in memory whose senders and receivers may live in any thread and event loop.

    Channels' own in-memory layer does not wake a receiver on another loop. Here a full channel
    refuses a message sent to it alone, and forgets its oldest for one that goes to a group.
    """

    extensions = ("groups", "flush")

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: dict[Any, int] | None = None,
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self.group_expiry = group_expiry
        self._lock = Lock()
        self._boxes: dict[str, _Box] = {}
        self._groups: dict[str, dict[str, float]] = {}  # channel → when it joined

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}.in-process!{uuid4().hex}"

    async def send(self, channel: str, message: Message) -> None:
        """:raises ChannelFull: nobody has received its last ``capacity`` messages"""
        self.require_valid_channel_name(channel)
        with self._lock:
            box = self._box(channel)
            box.drop_expired()
            if len(box.posts) == box.posts.maxlen:
                raise ChannelFull(channel)
            waiters = self._post(box, message)
        _wake(waiters)

    async def receive(self, channel: str) -> Message:
        self.require_valid_channel_name(channel)
        loop = asyncio.get_running_loop()
        while True:
            waiter = _Waiter(loop, loop.create_future())
            with self._lock:
                box = self._box(channel)
                box.drop_expired()
                if box.posts:
                    return self._take(channel, box)
                box.waiters.add(waiter)
            try:
                await waiter.woken
            finally:
                with self._lock:
                    box.waiters.discard(waiter)
                    self._forget_if_idle(channel)

    async def group_add(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self._groups.setdefault(group, {})[channel] = time.monotonic()

    async def group_discard(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self._leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        self.require_valid_group_name(group)
        waiters: list[_Waiter] = []
        with self._lock:
            self._drop_expired_members(group)
            for channel in self._groups.get(group, {}):
                waiters += self._post(self._box(channel), message)
        _wake(waiters)

    async def flush(self) -> None:
        with self._lock:
            self._boxes.clear()
            self._groups.clear()

    async def close(self) -> None:
        """Nothing is open."""

    def _box(self, channel: str) -> _Box:
        if channel not in self._boxes:
            self._boxes[channel] = _Box(self.get_capacity(channel))
        return self._boxes[channel]

    def _post(self, box: _Box, message: Message) -> list[_Waiter]:
        box.posts.append(_Posted(time.monotonic() + self.expiry, deepcopy(message)))
        return list(box.waiters)

    def _take(self, channel: str, box: _Box) -> Message:
        message = box.posts.popleft().message
        self._forget_if_idle(channel)
        return message

    def _forget_if_idle(self, channel: str) -> None:
        box = self._boxes.get(channel)
        if box is not None and not box.posts and not box.waiters:
            del self._boxes[channel]

    def _drop_expired_members(self, group: str) -> None:
        oldest = time.monotonic() - self.group_expiry
        members = self._groups.get(group, {})
        for channel in [name for name, joined in members.items() if joined < oldest]:
            self._leave(group, channel)

    def _leave(self, group: str, channel: str) -> None:
        members = self._groups.get(group, {})
        members.pop(channel, None)
        if not members:
            self._groups.pop(group, None)
        box = self._boxes.get(channel)
        if box is not None and not box.waiters:
            del self._boxes[channel]  # who leaves unread nudges behind must not cost memory


def _wake(waiters: Iterable[_Waiter]) -> None:
    for waiter in waiters:
        waiter.wake()
