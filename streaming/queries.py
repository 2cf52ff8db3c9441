from collections.abc import AsyncGenerator
from typing import Any, NamedTuple
from uuid import UUID

from streaming.db_threads import in_thread
from streaming.frames import encode, frame_of
from streaming.models import Line, Stream

PAGE = 200  # lines read at once


class Page(NamedTuple):
    frames: list[dict[str, Any]]
    last_seq: int
    has_more: bool


def page_after(stream_id: UUID, after: int, limit: int) -> Page:
    """
    Return the frames after ``after``, in order, at most ``limit``.

    The page is empty if the stream has no lines or ``after`` is beyond the last one.
    """
    last_seq = last_seq_of(stream_id)
    start = min(after, last_seq)
    frames = [frame_of(line) for line in lines_after(stream_id, start, limit)]
    end = frames[-1]["seq"] if frames else start
    last_seq = max(last_seq, end)  # a line may have been added between the queries
    return Page(frames, last_seq, end < last_seq)


def lines_after(stream_id: UUID, after: int, limit: int = PAGE) -> list[Line]:
    return list(Line.objects.filter(stream=stream_id, seq__gt=after).order_by("seq")[:limit])


def last_seq_of(stream_id: UUID) -> int:
    """Return the number of the newest line, 0 if there is none."""
    return Stream.objects.filter(pk=stream_id).values_list("last_seq", flat=True).first() or 0


async def stored_lines(stream_id: UUID) -> AsyncGenerator[str]:
    """Yield all stored lines as NDJSON, a page at a time."""
    after = 0
    while lines := await in_thread(lines_after)(stream_id, after):
        yield "".join(encode(frame_of(line)) + "\n" for line in lines)
        after = lines[-1].seq
