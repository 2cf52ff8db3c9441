"""WebSocket clients of the ASGI application, and a way to publish lines to them."""

from contextlib import asynccontextmanager

from channels.testing import WebsocketCommunicator

from spot_optimizer.asgi import application
from streaming.db_threads import in_thread
from streaming.publish import publish

publish_lines = in_thread(publish)


@asynccontextmanager
async def watcher_of(session_id, query="", headers=()):
    path = f"/api/v1/ws/sandbox/{session_id}" + (f"?{query}" if query else "")
    async with watcher_at(path, headers) as watcher:
        yield watcher


@asynccontextmanager
async def watcher_at(path, headers=()):
    watcher = WebsocketCommunicator(application, path, headers=list(headers))
    try:
        is_accepted, _ = await watcher.connect(timeout=5)
        assert is_accepted
        yield watcher
    finally:
        await watcher.disconnect(timeout=5)


async def seqs(watcher, count, timeout=5):
    return [(await watcher.receive_json_from(timeout))["seq"] for _ in range(count)]


async def close_code(watcher, timeout=5):
    closing = await watcher.receive_output(timeout)
    assert closing["type"] == "websocket.close", closing
    return closing["code"]
