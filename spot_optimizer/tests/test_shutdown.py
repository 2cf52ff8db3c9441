"""A server on SIGTERM finishes its requests, and waits only a limited time for them."""

import asyncio
import signal
import socket
import time

import pytest
import urllib3
from django.db import transaction

from accounts.models import User
from sandbox.cleanup.jobs import clean_up
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import OPENED, a_session, a_silent_session
from spot_optimizer.server.daphne_server import SHUTDOWN_TIMEOUT
from spot_optimizer.tests.quickstart import Platform, until
from spot_optimizer.tests.test_server import RunningServer, closed_with, publish_lines, seqs
from streaming.db_threads import in_thread
from streaming.publish import log

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db):
    server = RunningServer().wait()
    yield server
    server.process.kill()
    server.process.communicate()


class Client:
    """A user with an account and persistent connections."""

    def __init__(self, server) -> None:
        self.pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=4, timeout=40)
        body = {
            "email": "ann@example.com",
            "username": "ann",
            "password": "SecurePassword123",
        }
        token = self.request("POST", "/api/v1/auth/register", body).json()["access_token"]
        self.pool.headers = {"Authorization": f"Bearer {token}"}

    def request(self, method, path, body=None):
        return self.pool.request(method, path, json=body, retries=False)

    def start_request(self, *request):
        return asyncio.create_task(asyncio.to_thread(self.request, *request))


def refuses_connections(server):
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


async def ended(server):
    code = await asyncio.to_thread(server.process.wait, SHUTDOWN_TIMEOUT + 10)
    return code, server.process.stderr.read()


def end(session):
    SandboxSession.objects.filter(pk=session.pk).update(state=SandboxSession.State.ENDING)
    clean_up(session_id=session.pk, now=OPENED)


async def test_a_running_request_gets_its_response(server):
    client = await asyncio.to_thread(Client, server)
    user = await in_thread(User.objects.get)(username="ann")
    session = await in_thread(a_session)(user=user)
    path = f"/api/v1/sandbox/sessions/{session.pk}/evaluate"
    pending = client.start_request("POST", path, {})
    await in_thread(until)(Evaluation.objects.exists)

    server.process.send_signal(signal.SIGTERM)
    await in_thread(until)(lambda: refuses_connections(server))
    await in_thread(end)(session)

    answer = await pending
    assert (answer.status, answer.json()["code"]) == (409, "session_ended")
    assert answer.headers["Connection"] == "close"
    code, output = await ended(server)
    assert (code, "canceled" in output) == (0, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_every_client_is_instructed_to_reconnect(server, number):
    session = await in_thread(a_silent_session)()
    async with server.watching(session.pk) as one, server.watching(session.pk) as other:
        server.process.send_signal(number)

        assert [await closed_with(watcher) for watcher in (one, other)] == [([], 1012)] * 2
        assert "Reconnect with ?after=" in one.close_reason
    assert await ended(server) == (0, "")


async def test_a_client_that_reconnects_to_another_server_misses_nothing(server):
    session = await in_thread(a_silent_session)()
    other = await asyncio.to_thread(RunningServer().wait)
    async with server.watching(session.pk, "after=0") as watcher:
        await publish_lines(session.pk, log("SYSTEM", "before"))
        seen = await seqs(watcher, 1)
        server.process.send_signal(signal.SIGTERM)
        frames, _ = await closed_with(watcher)
        await publish_lines(session.pk, log("SYSTEM", "meanwhile"))
    async with other.watching(session.pk, f"after={seen[-1]}") as watcher:
        seen += await seqs(watcher, 1)
    other.stop()

    assert (frames, seen) == ([], [1, 2])


def test_the_quickstart_stops_while_a_job_waits_for_aws(tmp_path):
    with Platform(tmp_path / "var") as platform:
        token = platform.register()
        session = platform.create_session(token)
        platform.emulator("/delay", action="*", seconds=9, times=1000)
        path = f"/api/v1/sandbox/sessions/{session['session_id']}/evaluate"
        platform.request("POST", path, {}, token, Prefer="respond-async")
        until(lambda: "Reading i-" in str(platform.lines(session["session_id"], token)))
        since = time.monotonic()

        platform.process.send_signal(signal.SIGTERM)
        code = platform.process.wait(timeout=SHUTDOWN_TIMEOUT + 10)

        assert (code, time.monotonic() - since < SHUTDOWN_TIMEOUT + 1) == (0, True)
        assert "canceled after" in platform.log.read_text()


async def test_an_idle_connection_does_not_delay_the_shutdown(server):
    client = await asyncio.to_thread(Client, server)
    since = time.monotonic()

    server.process.send_signal(signal.SIGTERM)

    assert await ended(server) == (0, "")
    assert time.monotonic() - since < SHUTDOWN_TIMEOUT / 2
    assert client.pool.num_requests == 1


async def test_a_hanging_request_is_canceled_after_the_timeout(server):
    client = await asyncio.to_thread(Client, server)
    release = asyncio.Event()
    locked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold():
        with transaction.atomic():
            User.objects.select_for_update().get(username="ann")
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    holding = asyncio.create_task(in_thread(hold)())
    await locked.wait()
    pending = client.start_request("PATCH", "/api/v1/auth/profile", {"full_name": "Ann"})
    await asyncio.sleep(1)
    since = time.monotonic()

    server.process.send_signal(signal.SIGTERM)
    code, output = await ended(server)
    took = time.monotonic() - since
    release.set()
    await holding

    assert code == 0
    assert "1 unfinished connections are canceled" in output
    assert took < SHUTDOWN_TIMEOUT + 1
    with pytest.raises(urllib3.exceptions.HTTPError):
        await pending


async def test_a_client_that_does_not_answer_the_close_is_disconnected(server):
    session = await in_thread(a_silent_session)()
    since = time.monotonic()
    path = f"/api/v1/ws/sandbox/{session.pk}"
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        while b"welcome" not in client.recv(65536):
            pass

        server.process.send_signal(signal.SIGTERM)

        code, _ = await ended(server)
    assert code == 0
    assert time.monotonic() - since < SHUTDOWN_TIMEOUT / 2
