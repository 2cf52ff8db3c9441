import json
from uuid import uuid4

import pytest

from streaming.db_threads import in_thread
from streaming.publish import log, publish
from streaming.queries import PAGE, page_after, stored_lines


@pytest.mark.django_db
class TestLinesAfter:
    @pytest.fixture
    def stream_id(self):
        stream_id = uuid4()
        publish(stream_id, *(log("SYSTEM", str(n)) for n in range(1, 6)))
        return stream_id

    @pytest.mark.parametrize(
        ("after", "limit", "seqs", "has_more"),
        [
            (0, 2, [1, 2], True),
            (2, 3, [3, 4, 5], False),
            (2, 2, [3, 4], True),
            (0, 100, [1, 2, 3, 4, 5], False),
            (5, 100, [], False),
            (10**30, 100, [], False),
        ],
    )
    def test_pages(self, stream_id, after, limit, seqs, has_more):
        page = page_after(stream_id, after, limit)

        assert [frame["seq"] for frame in page.frames] == seqs
        assert (page.last_seq, page.has_more) == (5, has_more)

    def test_a_stream_without_lines_is_empty(self):
        assert page_after(uuid4(), 0, 10) == ([], 0, False)


@pytest.mark.django_db(transaction=True)
class TestStoredLines:
    @pytest.mark.parametrize("count", [0, 1, PAGE, 2 * PAGE + 1])
    async def test_every_line_once_and_in_order(self, count):
        stream_id = uuid4()
        await in_thread(publish)(stream_id, *(log("SYSTEM", f"line\n{n}") for n in range(count)))

        chunks = [chunk async for chunk in stored_lines(stream_id)]

        frames = [json.loads(line) for chunk in chunks for line in chunk.splitlines()]
        assert [frame["seq"] for frame in frames] == list(range(1, count + 1))
        assert all(len(chunk.splitlines()) <= PAGE for chunk in chunks)
