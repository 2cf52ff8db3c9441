"""One reader for each process: it looks for all its watched streams at once."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseTrouble

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
    """A bug ended the reader; whoever watched must not believe that nothing happens."""


class _Tail:
    """The newest lines of one stream, read once and encoded once for all who watch it."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque(maxlen=PAGE)
        self.last_seq = 0
        self.watchers = 0
        self.has_failed = False
        self._grown = asyncio.Event()

    def extend(self, frames: Iterable[Frame]) -> None:
        """
        Take the lines that are new here; two looks may bring the same ones.

        A look that passes lines over brings a whole page, so what is kept has no gap.
        """
        for frame in frames:
            if frame.seq > self.last_seq:
                self.frames.append(frame)
                self.last_seq = frame.seq
        self._wake()

    def behind(self, after: int) -> list[Frame]:
        """Return the lines behind ``after``, or none if some of them are only in the table."""
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
        Yield the lines behind ``after`` as they come, each once and in order. It has no end.

        Who is far behind reads pages from the table; nobody else waits for him meanwhile. Close
        it (``aclosing``), or the stream is watched for ever.

        :raises django.db.Error: the table cannot be read
        :raises ReaderStopped: a bug ended the reader
        """
        tail = self._watch(stream_id)
        try:
            if not tail.last_seq:
                await self._look({stream_id: tail})
            while True:
                await tail.wait_past(after)
                for frame in tail.behind(after) or await in_thread(_page)(stream_id, after):
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
                    await self._look_or_wait(dict(self._tails))
        except Exception:
            logger.exception("the reader has stopped; its watchers are closed and come again")
            tails, self._tails = self._tails, {}
            for tail in tails.values():
                tail.fail()

    async def _look_or_wait(self, tails: Mapping[UUID, _Tail]) -> None:
        try:
            await self._look(tails)
        except DatabaseTrouble:
            logger.warning("the database is away, lines are late", exc_info=True)

    async def _look(self, tails: Mapping[UUID, _Tail]) -> None:
        known = {stream_id: tail.last_seq for stream_id, tail in tails.items()}
        for stream_id, frames in (await in_thread(_news)(known)).items():
            tails[stream_id].extend(frames)

    def _is_news(self, stream_id: UUID, seq: int) -> bool:
        tail = self._tails.get(stream_id)
        return tail is not None and seq > tail.last_seq


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, Reader] = WeakKeyDictionary()


def reader() -> Reader:
    """Return the process's reader: a server has one event loop, and a reader lives in its own."""
    return _readers.setdefault(asyncio.get_running_loop(), Reader())


def _news(known: Mapping[UUID, int]) -> dict[UUID, list[Frame]]:
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
