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
    Return the frames behind ``after``, in order, at most ``limit``.

    A stream without lines, and an ``after`` beyond the last line, give an empty page.
    """
    last_seq = last_seq_of(stream_id)
    start = min(after, last_seq)
    frames = [frame_of(line) for line in lines_after(stream_id, start, limit)]
    reached = frames[-1]["seq"] if frames else start
    last_seq = max(last_seq, reached)  # a line may have come between the two queries
    return Page(frames, last_seq, reached < last_seq)


def lines_after(stream_id: UUID, after: int, limit: int = PAGE) -> list[Line]:
    return list(Line.objects.filter(stream=stream_id, seq__gt=after).order_by("seq")[:limit])


def last_seq_of(stream_id: UUID) -> int:
    """Return the number of the newest line, 0 where there is none yet."""
    return Stream.objects.filter(pk=stream_id).values_list("last_seq", flat=True).first() or 0


async def stored_lines(stream_id: UUID) -> AsyncGenerator[str]:
    """Yield every stored line as NDJSON, a page at a time, and end behind the last one."""
    after = 0
    while lines := await in_thread(lines_after)(stream_id, after):
        yield "".join(encode(frame_of(line)) + "\n" for line in lines)
        after = lines[-1].seq
