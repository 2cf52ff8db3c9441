"""The ASGI application, called as by a server."""

import asyncio

import pytest
from asgiref.testing import ApplicationCommunicator

from accounts.testing import a_user, signed_in
from sandbox.testing import a_session
from spot_optimizer.asgi import application
from spot_optimizer.server.asgi_handler import THREADS
from streaming.db_threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


async def connected_request(path, *, method="GET", headers=(), body=b""):
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
    }
    request = ApplicationCommunicator(application, scope)
    await request.send_input({"type": "http.request", "body": body})
    return request


async def get_response(path):
    request = await connected_request(path)
    start = await request.receive_output(60)
    text, more = b"", True
    while more:
        part = await request.receive_output(60)
        text, more = text + part.get("body", b""), part.get("more_body", False)
    await request.wait()
    return start["status"], text


async def test_a_response_is_returned():
    status, text = await get_response("/health/live")

    assert (status, b'"ok"' in text) == (200, True)


async def test_an_unknown_url_returns_404():
    status, text = await get_response("/nowhere")

    assert (status, b"not_found" in text) == (404, True)


async def test_a_static_file_is_returned_whole():
    status, text = await get_response(
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
    )

    assert status == 200
    assert len(text) > 10_000


async def test_more_requests_than_threads_all_get_a_response():
    answers = await asyncio.gather(*(get_response("/health/live") for _ in range(2 * THREADS)))

    assert {status for status, _ in answers} == {200}


async def test_waiting_evaluations_hold_no_request_thread():
    user = await in_thread(a_user)()
    session = await in_thread(a_session)(user=user)
    client = await in_thread(signed_in)(user)
    token = client._credentials["HTTP_AUTHORIZATION"].encode()
    path = f"/api/v1/sandbox/sessions/{session.pk}/evaluate"
    headers = [(b"authorization", token), (b"content-type", b"application/json")]
    waiting = [
        await connected_request(path, method="POST", headers=headers, body=b"{}")
        for _ in range(THREADS + 2)
    ]
    await asyncio.sleep(1)

    status, _ = await get_response("/health/live")

    assert status == 200
    for request in waiting:
        assert await request.receive_nothing(0.01, 0.01)  # there is no worker to settle it
        await request.send_input({"type": "http.disconnect"})
        await request.wait(10)
