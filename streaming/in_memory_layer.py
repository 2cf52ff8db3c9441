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


class _Queued(NamedTuple):
    expires_at: float  # [s] on the monotonic clock
    message: Message


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]

    def wake(self) -> None:
        with suppress(RuntimeError):  # its event loop is closed
            self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class _Channel:
    """The messages of one channel, up to its capacity, and its waiting receivers."""

    def __init__(self, capacity: int) -> None:
        self.messages: deque[_Queued] = deque(maxlen=capacity)
        self.waiters: set[_Waiter] = set()

    def drop_expired(self) -> None:
        now = time.monotonic()
        while self.messages and self.messages[0].expires_at <= now:
            self.messages.popleft()


class ThreadSafeLayer(BaseChannelLayer):
    """
    In-memory channel layer whose senders and receivers may run in different event loops.

    Channels' own in-memory layer does not wake a receiver in another loop. If a channel is full,
    `send` raises and `group_send` discards the channel's oldest message.
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
        self._channels: dict[str, _Channel] = {}
        self._groups: dict[str, dict[str, float]] = {}  # channel → when it joined

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}.in-process!{uuid4().hex}"

    async def send(self, channel: str, message: Message) -> None:
        """:raises ChannelFull: ``capacity`` messages have not been received yet"""
        self.require_valid_channel_name(channel)
        with self._lock:
            queue = self._channel(channel)
            queue.drop_expired()
            if len(queue.messages) == queue.messages.maxlen:
                raise ChannelFull(channel)
            waiters = self._enqueue(queue, message)
        _wake(waiters)

    async def receive(self, channel: str) -> Message:
        self.require_valid_channel_name(channel)
        loop = asyncio.get_running_loop()
        while True:
            waiter = _Waiter(loop, loop.create_future())
            with self._lock:
                queue = self._channel(channel)
                queue.drop_expired()
                if queue.messages:
                    return self._dequeue(channel, queue)
                queue.waiters.add(waiter)
            try:
                await waiter.woken
            finally:
                with self._lock:
                    queue.waiters.discard(waiter)
                    self._delete_if_idle(channel)

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
                waiters += self._enqueue(self._channel(channel), message)
        _wake(waiters)

    async def flush(self) -> None:
        with self._lock:
            self._channels.clear()
            self._groups.clear()

    async def close(self) -> None:
        """Channels calls this; there is nothing to close."""

    def _channel(self, channel: str) -> _Channel:
        if channel not in self._channels:
            self._channels[channel] = _Channel(self.get_capacity(channel))
        return self._channels[channel]

    def _enqueue(self, queue: _Channel, message: Message) -> list[_Waiter]:
        queue.messages.append(_Queued(time.monotonic() + self.expiry, deepcopy(message)))
        return list(queue.waiters)

    def _dequeue(self, channel: str, queue: _Channel) -> Message:
        message = queue.messages.popleft().message
        self._delete_if_idle(channel)
        return message

    def _delete_if_idle(self, channel: str) -> None:
        queue = self._channels.get(channel)
        if queue is not None and not queue.messages and not queue.waiters:
            del self._channels[channel]

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
        queue = self._channels.get(channel)
        if queue is not None and not queue.waiters:
            del self._channels[channel]  # or its unread messages would never be freed


def _wake(waiters: Iterable[_Waiter]) -> None:
    for waiter in waiters:
        waiter.wake()
