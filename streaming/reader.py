"""One reader for each process: one query finds the new lines of all watched streams."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError

from spot_optimizer.observability import metrics
from streaming.db_threads import in_thread
from streaming.frames import encode, frame_of
from streaming.models import Line, Stream
from streaming.notifications import Notifications
from streaming.queries import PAGE, lines_after

logger = logging.getLogger(__name__)


class Frame(NamedTuple):
    seq: int
    type: str
    text: str
    stored: float  # [s] since 1970


class ReaderStopped(RuntimeError):
    """The reader ended because of a bug; its watchers must be disconnected."""


class _Tail:
    """The newest lines of one stream, read and encoded once for all its watchers."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque(maxlen=PAGE)
        self.last_seq = 0
        self.watchers = 0
        self.has_failed = False
        self._grown = asyncio.Event()

    def extend(self, frames: Iterable[Frame]) -> None:
        """
        Append the new lines; two queries may return the same ones.

        A query that has to skip lines fills the whole buffer, so that the buffer has no gap.
        """
        for frame in frames:
            if frame.seq > self.last_seq:
                self.frames.append(frame)
                self.last_seq = frame.seq
        self._wake()

    def lines_after(self, after: int) -> list[Frame]:
        """Return the lines after ``after``, or none if some of them are only in the table."""
        if not self.frames or self.frames[0].seq > after + 1:
            return []
        return [frame for frame in self.frames if frame.seq > after]

    def fail(self) -> None:
        self.has_failed = True
        self._wake()

    async def wait_past(self, seq: int) -> None:
        while self.last_seq <= seq:
            if self.has_failed:
                raise ReaderStopped
            await self._grown.wait()

    def _wake(self) -> None:
        self._grown.set()
        self._grown.clear()


class Reader:
    def __init__(self) -> None:
        self._tails: dict[UUID, _Tail] = {}
        self._task: asyncio.Task[None] | None = None

    async def frames(self, stream_id: UUID, *, after: int) -> AsyncGenerator[Frame]:
        """
        Yield the lines after ``after``, each once and in order, without end.

        A watcher that is far behind reads pages from the table without delaying the others. Close
        the generator (``aclosing``) to stop watching the stream.

        :raises django.db.Error: the table cannot be read
        :raises ReaderStopped: a bug ended the reader
        """
        tail = self._watch(stream_id)
        try:
            if not tail.last_seq:
                await self._poll({stream_id: tail})
            while True:
                await tail.wait_past(after)
                for frame in tail.lines_after(after) or await in_thread(_page)(stream_id, after):
                    yield frame
                    after = frame.seq
        finally:
            self._unwatch(stream_id, tail)

    def _watch(self, stream_id: UUID) -> _Tail:
        tail = self._tails.setdefault(stream_id, _Tail())
        tail.watchers += 1
        metrics.watchers.inc()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return tail

    def _unwatch(self, stream_id: UUID, tail: _Tail) -> None:
        tail.watchers -= 1
        metrics.watchers.dec()
        if not tail.watchers and self._tails.get(stream_id) is tail:
            del self._tails[stream_id]
        if not self._tails and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        try:
            async with Notifications(self._is_news) as notifications:
                while True:
                    await notifications.wait()
                    await self._poll_or_log(dict(self._tails))
        except Exception:
            logger.exception("the reader has stopped; its watchers are disconnected")
            tails, self._tails = self._tails, {}
            for tail in tails.values():
                tail.fail()

    async def _poll_or_log(self, tails: Mapping[UUID, _Tail]) -> None:
        try:
            await self._poll(tails)
        except DatabaseError:
            logger.warning("the database is unavailable, lines are delayed", exc_info=True)

    async def _poll(self, tails: Mapping[UUID, _Tail]) -> None:
        known = {stream_id: tail.last_seq for stream_id, tail in tails.items()}
        for stream_id, frames in (await in_thread(_new_frames)(known)).items():
            tails[stream_id].extend(frames)

    def _is_news(self, stream_id: UUID, seq: int) -> bool:
        tail = self._tails.get(stream_id)
        return tail is not None and seq > tail.last_seq


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, Reader] = WeakKeyDictionary()


def reader() -> Reader:
    """Return the reader of this event loop; a server process has one."""
    return _readers.setdefault(asyncio.get_running_loop(), Reader())


def _new_frames(known: Mapping[UUID, int]) -> dict[UUID, list[Frame]]:
    streams = Stream.objects.filter(pk__in=known).values_list("pk", "last_seq")
    return {
        stream_id: _page(stream_id, max(known[stream_id], last_seq - PAGE))
        for stream_id, last_seq in streams
        if last_seq > known[stream_id]
    }


def _page(stream_id: UUID, after: int) -> list[Frame]:
    return [_encoded(line) for line in lines_after(stream_id, after)]


def _encoded(line: Line) -> Frame:
    return Frame(line.seq, line.type, encode(frame_of(line)), line.at.timestamp())
