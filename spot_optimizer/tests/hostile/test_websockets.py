"""Frames that no proper client sends, and clients that come by the thousand."""

import asyncio
import json
import os
import resource
import socket
import struct
import time
from contextlib import AsyncExitStack, suppress

import pytest

from sandbox.testing import a_silent_session
from spot_optimizer.tests.hostile.raw_http import head, response_to, server
from spot_optimizer.tests.hostile.test_raw_http import UPGRADE
from spot_optimizer.tests.test_server import publish_many

__all__ = ["server"]
pytestmark = pytest.mark.django_db(transaction=True)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LAST = 0x80
MASK = b"\x01\x02\x03\x04"


@pytest.fixture
def session(transactional_db):
    return a_silent_session()


def frame(code, payload=b"", *, first=LAST, is_masked=True, length=None):
    """Return a frame as it is on the wire; ``length`` may lie."""
    length = len(payload) if length is None else length
    if length < 126:
        size = bytes([length])
    elif length < 1 << 16:
        size = b"\x7e" + struct.pack(">H", length)
    else:
        size = b"\x7f" + struct.pack(">Q", length)
    if not is_masked:
        return bytes([first | code]) + size + payload
    masked = bytes(byte ^ MASK[n % 4] for n, byte in enumerate(payload))
    return bytes([first | code, size[0] | 0x80]) + size[1:] + MASK + masked


class Raw:
    """A client that sends bytes, and reads frames without looking at what they should be."""

    def __init__(self, server, session) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.socket.sendall(head(f"GET /api/v1/ws/sandbox/{session.pk} HTTP/1.1", *UPGRADE))
        self.file = self.socket.makefile("rb")
        assert b" 101 " in self.file.readline()
        while self.file.readline().strip():
            pass
        assert self.read()[1]["type"] == "welcome"

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def read(self):
        """Return the next frame's code, and its JSON or its bytes."""
        code, size = self.file.read(2)
        if size == 126:
            [size] = struct.unpack(">H", self.file.read(2))
        payload = self.file.read(size)
        return code & 0x0F, json.loads(payload) if code & 0x0F == TEXT else payload

    def closed_with(self):
        while True:
            code, payload = self.read()
            if code == CLOSE:
                return struct.unpack(">H", payload[:2])[0]

    def read_to_the_end(self):
        """Return when the connection ends, with a close frame or without; time out if it stays."""
        with suppress(ConnectionResetError):
            while self.file.read(1):
                pass


BROKEN = {
    "unmasked": ([frame(TEXT, b"ping", is_masked=False)], 1002),
    "an unknown code": ([frame(3, b"x")], 1002),
    "an unknown control code": ([frame(11, b"x")], 1002),
    "reserved bits": ([frame(TEXT, b"x", first=LAST | 0x70)], 1002),
    "a long ping": ([frame(PING, b"x" * 126)], 1002),
    "a ping in pieces": ([frame(PING, b"x", first=0)], 1002),
    "going on with nothing": ([frame(0, b"x")], 1002),
    "two beginnings": ([frame(TEXT, b"a", first=0), frame(TEXT, b"b")], 1002),
    "no UTF-8": ([frame(TEXT, b"\xff\xfe")], 1007),
    "a surrogate in UTF-8": ([frame(TEXT, b"\xed\xa0\x80")], 1007),
    "UTF-8 that breaks off": ([frame(TEXT, b"\xf0\x9f")], 1007),
    "no UTF-8 in pieces": ([frame(TEXT, b"\xf0\x9f", first=0), frame(0, b"\xff")], 1007),
    "a frame of 64 KiB and 1": ([frame(TEXT, b"x" * 65_537)], 1009),
    "a frame of 1 MiB": ([frame(BINARY, b"x" * (1 << 20))], 1009),
    "a frame that says 2^62": ([frame(TEXT, b"x", length=1 << 62)], 1009),
    "a frame that says 2^63": ([frame(TEXT, b"x", length=1 << 63)], 1002),
    "1 MiB in pieces": (
        [frame(TEXT, b"x" * 60_000, first=0), *[frame(0, b"x" * 60_000, first=0)] * 20],
        1009,
    ),
}


BROKEN_CLOSES = {
    "of one byte": b"x",
    "with a code that is none": struct.pack(">H", 1005),
    "with no UTF-8": struct.pack(">H", 1000) + b"\xff",
}


@pytest.mark.parametrize("what", BROKEN_CLOSES)
def test_a_broken_close_ends_its_own_connection_only(server, session, what):
    with Raw(server, session) as other, Raw(server, session) as broken:
        broken.send(frame(CLOSE, BROKEN_CLOSES[what]))

        broken.read_to_the_end()
        other.send(frame(TEXT, b"ping"))
        assert other.read()[1]["type"] == "pong"


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_closes_its_own_connection_only(server, session, what):
    frames, code = BROKEN[what]
    with Raw(server, session) as other, Raw(server, session) as broken:
        broken.send(*frames)

        assert broken.closed_with() == code
        other.send(frame(TEXT, b"ping"))
        assert other.read()[1]["type"] == "pong"


STRANGE = {
    "nothing": frame(TEXT),
    "bytes": frame(BINARY, bytes(range(256))),
    "half a JSON": frame(TEXT, b'{"type":'),
    "NUL": frame(TEXT, b"\0" * 1000),
    "deep JSON": frame(TEXT, b"[" * 60_000),
    "another type": frame(TEXT, b'{"type":"websocket.close","code":1000}'),
    "in pieces": frame(TEXT, b"pi", first=0) + frame(0, b"n", first=0) + frame(0, b"g!"),
    "64 KiB": frame(TEXT, b"x" * 65_536),
}


@pytest.mark.parametrize("what", STRANGE)
def test_an_unknown_message_is_reported_and_the_stream_continues(server, session, what):
    with Raw(server, session) as client:
        client.send(STRANGE[what])
        assert client.read()[1]["code"] == "not_understood"
        client.send(frame(TEXT, b"ping"))

        assert client.read()[1]["type"] == "pong"


def test_a_ping_in_pieces_with_a_control_frame_between_is_one(server, session):
    with Raw(server, session) as client:
        client.send(frame(TEXT, b"pi", first=0), frame(PING, b"hi"), frame(0, b"ng"))

        assert client.read() == (PONG, b"hi")
        assert client.read()[1]["type"] == "pong"


def test_a_flood_of_pings_is_answered_and_costs_no_memory(server, session):
    before = server.memory()
    with Raw(server, session) as client:
        for _ in range(100):
            client.send(frame(PING, b"x" * 125) * 100)
            for _ in range(100):
                assert client.read() == (PONG, b"x" * 125)

    assert server.memory() - before < 40


def test_half_open_handshakes_are_closed_and_do_not_affect_others(server, session):
    halves = []
    try:
        for _ in range(200):
            half = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            half.sendall(head(f"GET /api/v1/ws/sandbox/{session.pk} HTTP/1.1", *UPGRADE)[:-2])
            halves.append(half)
        with Raw(server, session) as client:
            client.send(frame(TEXT, b"ping"))
            assert client.read()[1]["type"] == "pong"
    finally:
        for half in halves:
            half.close()


WATCHERS = 1000


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))  # noqa: PTH208


def until(found, seconds=30):
    give_up_at = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * WATCHERS + 200,
    reason="a thousand watchers need 2200 open files here: ulimit -n",
)
async def test_a_thousand_watchers_get_every_line_once_and_in_order(server, session):
    memory, files = server.memory(), descriptors(server)
    async with AsyncExitStack() as stack:
        watchers = []
        for _ in range(WATCHERS // 50):
            some = [server.watching(session.pk, "after=0", open_timeout=60) for _ in range(50)]
            watchers += await asyncio.gather(*(stack.enter_async_context(each) for each in some))
        reading = [asyncio.create_task(all_seqs(each, 40)) for each in watchers]
        await publish_many(session.pk, writers=2, each=20)

        for seen in await asyncio.gather(*reading):
            assert seen == list(range(1, 41))
        grown = server.memory() - memory
    await asyncio.to_thread(until, lambda: descriptors(server) <= files + 5)

    assert grown < 200  # 0.2 MiB each
    assert (
        await asyncio.to_thread(lambda: response_to(server, head("GET /health/live HTTP/1.1"))[0])
        == 200
    )


async def all_seqs(watcher, count):
    async with asyncio.timeout(120):
        return [json.loads(await watcher.recv())["seq"] for _ in range(count)]
