import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from django.db import connection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sandbox.testing import a_silent_session
from spot_optimizer.server.backpressure import SLOW_CLIENT_TIMEOUT
from spot_optimizer.server.websocket import WatcherProtocol
from spot_optimizer.settings import BASE_DIR
from streaming.db_threads import in_thread
from streaming.publish import log, publish, session_ended

UNKNOWN_ID = "0f6a9f0e-6c1d-4d0e-9a57-3f1f2f1e8d11"

pytestmark = pytest.mark.django_db(transaction=True)
publish_lines = in_thread(publish)


def database_url():
    db = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{db['NAME']}"
    password = f":{db['PASSWORD']}" if db["PASSWORD"] else ""
    return f"postgresql://{db['USER']}{password}@{db['HOST']}:{db['PORT']}/{db['NAME']}"


def a_free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


class RunningServer:
    """A separate server process on the test database."""

    def __init__(self, **environment) -> None:
        self.port = a_free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spot_optimizer.server"],
            cwd=BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "spot_optimizer.settings",
                "DATABASE_URL": database_url(),
                "API_HOST": "127.0.0.1",
                "API_PORT": str(self.port),
                "ACCESS_LOG": "false",  # so that the output has only warnings and errors
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError(self.process.communicate())

    def stop(self):
        """Stop the server, and return all its output."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return "".join(self.process.communicate(timeout=15))
        finally:
            self.process.kill()

    def memory(self):
        """[MiB]"""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def watch(self, session_id, query="", *, max_queue=None, **options):
        # With a short queue this client stops reading until the test receives frames.
        return connect(
            f"ws://127.0.0.1:{self.port}/api/v1/ws/sandbox/{session_id}?{query}",
            max_queue=max_queue,
            close_timeout=1,
            **options,
        )

    @asynccontextmanager
    async def watching(self, session_id, query="", **options):
        async with self.watch(session_id, query, **options) as watcher:
            assert json.loads(await watcher.recv())["type"] == "welcome"
            yield watcher


@pytest.fixture(scope="module")
def server(django_db_setup):
    server = RunningServer().wait()
    try:
        yield server
    finally:
        output = server.stop()
    assert output == ""  # no traceback, no access log
    assert server.process.returncode == 0


@pytest.fixture
def session(transactional_db):
    return a_silent_session()


async def seqs(watcher, count):
    async with asyncio.timeout(20):
        return [json.loads(await watcher.recv())["seq"] for _ in range(count)]


async def closed_with(watcher):
    """Read until it is closed; return the frames and the code."""
    frames = []
    try:
        async with asyncio.timeout(20):
            while True:
                frames.append(json.loads(await watcher.recv()))
    except ConnectionClosed as closed:
        return frames, closed.rcvd and closed.rcvd.code


async def publish_many(session_id, *, writers, each, text="x"):
    async def write(writer):
        for n in range(each):
            await publish_lines(session_id, log("SYSTEM", f"{writer}/{n} {text}"))

    await asyncio.gather(*(write(writer) for writer in range(writers)))


class TestWatching:
    async def test_twenty_clients_get_every_line_once_and_in_order(self, server, session):
        async def watch(n):
            async with server.watching(session.pk, "after=0" if n % 2 else "") as watcher:
                return await seqs(watcher, 200)

        watchers = [asyncio.create_task(watch(n)) for n in range(20)]
        await asyncio.sleep(0.5)
        await publish_many(session.pk, writers=4, each=50)

        for seen in await asyncio.gather(*watchers):
            assert seen == list(range(1, 201))

    async def test_a_reconnecting_client_resumes(self, server, session):
        async def watch_with_breaks(step):
            seen = []
            while len(seen) < 200:
                after = f"after={len(seen)}"
                async with server.watching(session.pk, after) as watcher:
                    seen += await seqs(watcher, min(step, 200 - len(seen)))
            return seen

        watchers = [asyncio.create_task(watch_with_breaks(7 + n)) for n in range(10)]
        await publish_many(session.pk, writers=4, each=50)

        for seen in await asyncio.gather(*watchers):
            assert seen == list(range(1, 201))

    async def test_a_restart_loses_no_line_for_a_reconnecting_client(self, session):
        await publish_many(session.pk, writers=1, each=10)
        first = await asyncio.to_thread(RunningServer().wait)
        async with first.watching(session.pk, "after=0") as watcher:
            seen = await seqs(watcher, 10)
            first.process.kill()
            await asyncio.to_thread(first.process.communicate)
            await publish_many(session.pk, writers=1, each=10)
        second = await asyncio.to_thread(RunningServer().wait)
        try:
            async with second.watching(session.pk, f"after={seen[-1]}") as watcher:
                seen += await seqs(watcher, 10)
        finally:
            await asyncio.to_thread(second.stop)

        assert seen == list(range(1, 21))

    async def test_the_end_of_the_session_closes(self, server, session):
        async with server.watching(session.pk) as watcher:
            await publish_lines(session.pk, session_ended("ended by its owner"))

            frames, code = await closed_with(watcher)

        assert ([frame["type"] for frame in frames], code) == (["session_ended"], 4410)

    @pytest.mark.parametrize(
        "path", [f"/api/v1/ws/sandbox/{UNKNOWN_ID}", "/api/v1/ws/x", "/%F0%9F"]
    )
    async def test_an_unknown_path_or_session_is_reported(self, server, path):
        async with connect(f"ws://127.0.0.1:{server.port}{path}") as watcher:
            frames, code = await closed_with(watcher)

        assert ([frame["code"] for frame in frames], code) == (["not_found"], 4404)

    @pytest.mark.parametrize("origin", ["http://evil.example", "null"])
    async def test_a_foreign_origin_is_rejected(self, server, session, origin):
        async with server.watch(session.pk, additional_headers={"Origin": origin}) as watcher:
            frames, code = await closed_with(watcher)

        assert ([frame["code"] for frame in frames], code) == (["foreign_origin"], 4403)

    async def test_our_own_origin_is_accepted(self, server, session):
        ours = {"Origin": f"http://127.0.0.1:{server.port}"}
        async with server.watching(session.pk, additional_headers=ours):
            pass


class TestASlowClient:
    """It reads nothing: 500 lines of 16 KiB fill the kernel's buffers and our limit of 1 MiB."""

    async def test_is_closed_and_does_not_affect_other_clients(self, server, session):
        before = server.memory()
        async with (
            server.watching(session.pk, max_queue=1) as slow,
            server.watching(session.pk) as other,
        ):
            reading = asyncio.create_task(seqs(other, 500))
            await publish_many(session.pk, writers=2, each=250, text="x" * 16_000)
            seen = await reading
            await asyncio.sleep(SLOW_CLIENT_TIMEOUT + 1)
            grown = server.memory() - before
            await publish_lines(session.pk, log("SYSTEM", "another line"))
            assert await seqs(other, 1) == [501]

            frames, code = await closed_with(slow)

        assert seen == list(range(1, 501))
        assert (frames[-1]["code"], code) == ("too_slow", 4408)
        assert [frame["seq"] for frame in frames[:-1]] == list(range(1, len(frames)))
        assert len(frames) < 500
        assert grown < 40

    async def test_one_that_reads_slowly_gets_the_whole_replay(self, server, session):
        await publish_many(session.pk, writers=1, each=400, text="x" * 16_000)
        async with server.watching(session.pk, "after=0", max_queue=1) as watcher:
            seen = []
            for _ in range(400):
                seen += await seqs(watcher, 1)
                await asyncio.sleep(0.005)

        assert seen == list(range(1, 401))


class TestWhatAClientSends:
    async def test_a_frame_over_64_kib_closes(self, server, session):
        async with server.watching(session.pk) as watcher:
            await watcher.send("x" * (64 * 1024 + 1))

            assert await closed_with(watcher) == ([], 1009)

    def test_a_response_after_a_close_is_dropped(self):
        protocol = WatcherProtocol()
        protocol.client_addr, protocol.state = None, WatcherProtocol.STATE_CLOSING

        assert protocol.serverSend("x") is None

    async def test_a_frame_of_64_kib_is_an_error(self, server, session):
        async with server.watching(session.pk) as watcher:
            await watcher.send("x" * (64 * 1024))

            assert json.loads(await watcher.recv())["code"] == "not_understood"

    async def test_a_flood_is_limited_and_the_stream_continues(self, server, session):
        before, grown = server.memory(), 0.0
        async with (
            server.watching(session.pk) as flooding,
            server.watching(session.pk) as other,
        ):
            for n in range(2000):
                await flooding.send("x" * 60_000)
                grown = max(grown, server.memory() - before if n % 50 == 0 else 0)
            await publish_lines(session.pk, log("SYSTEM", "one"))
            assert await seqs(other, 1) == [1]

            frames = [json.loads(await flooding.recv()) for _ in range(2001)]

        assert [frame["seq"] for frame in frames if "seq" in frame] == [1]
        assert grown < 40


class TestStarting:
    def test_a_port_in_use_is_reported(self, transactional_db):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            server = RunningServer(API_PORT=str(port))
            _, output = server.process.communicate(timeout=30)

        assert output == (
            f"Port {port} of 127.0.0.1 is in use. Stop what uses it, or set API_PORT.\n"
        )
        assert server.process.returncode == 1

    async def test_stops_at_once_with_connected_clients(self, session):
        server = await asyncio.to_thread(RunningServer().wait)
        async with server.watching(session.pk):
            output = await asyncio.to_thread(server.stop)

        assert output == ""
        assert server.process.returncode == 0

    def test_serves_http(self, server):
        address = f"http://127.0.0.1:{server.port}/static/admin/css/base.css"
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.status == 200
            assert answer.headers["Server"] == "spot-optimizer"


def send_raw(server, head, body=b""):
    """Send raw bytes; return the status and the body of the response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        text = answer.read()
        assert text.startswith(b"{"), (answer.status, text)
        return answer.status, json.loads(text)


POST = "POST /api/v1/auth/login HTTP/1.1\nHost: localhost\n"


class TestBodies:
    def test_declared_too_large_are_refused_before_they_are_sent(self, server):
        head = f"{POST}Content-Type: application/json\nContent-Length: {2**40}\n"

        status, error = send_raw(server, head)

        assert (status, error["code"]) == (413, "too_large")

    def test_that_grow_too_large_are_refused_while_they_are_received(self, server):
        chunk = b"80000\r\n" + b" " * 0x80000 + b"\r\n"
        head = f"{POST}Content-Type: application/json\nTransfer-Encoding: chunked\n"

        status, error = send_raw(server, head, chunk * 3)  # without a last chunk

        assert (status, error["code"]) == (413, "too_large")

    def test_of_a_malformed_form_are_of_an_unsupported_type(self, transactional_db):
        server = RunningServer(LOG_LEVEL="ERROR").wait()
        kind = "Content-Type: multipart/form-data; boundary=x\n"

        try:
            status, error = send_raw(server, f"{POST}{kind}Content-Length: 3\n", b"--y")
        finally:
            server.stop()

        assert (status, error["code"]) == (415, "unsupported_media_type")
