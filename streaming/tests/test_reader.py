"""The reader's buffer of the newest lines, and which notifications make it query."""

from uuid import uuid4

import pytest

from streaming.models import Line
from streaming.publish import log, publish
from streaming.queries import PAGE
from streaming.reader import Frame, Reader, ReaderStopped, _new_frames, _Tail


def frames(*seqs):
    return [Frame(seq, Line.Type.LOG, str(seq), 0.0) for seq in seqs]


def seqs(frames):
    return [frame.seq for frame in frames]


@pytest.fixture
def tail():
    tail = _Tail()
    tail.extend(frames(4, 5, 6))
    return tail


class TestTail:
    def test_appends_each_line_once(self, tail):
        tail.extend(frames(5, 6, 7))

        assert seqs(tail.frames) == [4, 5, 6, 7]

    @pytest.mark.parametrize(
        ("after", "expected"), [(3, [4, 5, 6]), (4, [5, 6]), (5, [6]), (6, []), (2, [])]
    )
    def test_returns_lines_only_if_none_is_missing(self, tail, after, expected):
        assert seqs(tail.lines_after(after)) == expected

    async def test_waiting_on_a_failed_reader_raises(self, tail):
        tail.fail()

        with pytest.raises(ReaderStopped):
            await tail.wait_past(6)


class TestNews:
    @pytest.mark.parametrize(("seq", "expected"), [(5, False), (6, False), (7, True)])
    def test_is_a_line_after_the_last_known_one(self, tail, seq, expected):
        reader, stream_id = Reader(), uuid4()
        reader._tails[stream_id] = tail

        assert reader._is_news(stream_id, seq) is expected

    def test_is_no_line_of_a_stream_without_watchers(self):
        assert Reader()._is_news(uuid4(), 1) is False


@pytest.mark.django_db
class TestNewFrames:
    def test_are_those_after_the_known_one(self):
        stream_id = uuid4()
        publish(stream_id, *(log("SYSTEM", str(n)) for n in range(5)))

        assert seqs(_new_frames({stream_id: 2})[stream_id]) == [3, 4, 5]
        assert _new_frames({stream_id: 5}) == {}

    def test_are_the_newest_page_if_there_are_more(self):
        stream_id = uuid4()
        publish(stream_id, *(log("SYSTEM", str(n)) for n in range(PAGE + 7)))

        assert seqs(_new_frames({stream_id: 2})[stream_id]) == list(range(8, PAGE + 8))


async def test_a_stream_without_watchers_is_forgotten():
    reader, stream_id = Reader(), uuid4()
    first, second = reader._watch(stream_id), reader._watch(stream_id)

    reader._unwatch(stream_id, first)
    assert stream_id in reader._tails
    reader._unwatch(stream_id, second)

    assert reader._tails == {}
    assert reader._task is None
