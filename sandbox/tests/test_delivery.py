"""Every line arrives once and in order, even if notifications are lost."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from django.db import connection

from sandbox.testing import a_silent_session
from sandbox.tests.websocket_client import close_code, publish_lines, seqs, watcher_of
from streaming.db_threads import in_thread
from streaming.publish import log, session_ended
from streaming.queries import PAGE
from streaming.tests.layers import with_layer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(transactional_db):
    return a_silent_session()


async def publish_all(session_id, *, writers, each):
    async def write(writer):
        for n in range(each):
            await publish_lines(session_id, log("SYSTEM", f"{writer}/{n}"))

    await asyncio.gather(*(write(writer) for writer in range(writers)))


@pytest.mark.parametrize("layer", [None, "LossyLayer", "SilentLayer"])
async def test_twenty_watchers_get_every_line_once_and_in_order(session, settings, layer):
    if layer is not None:
        settings.CHANNEL_LAYERS = with_layer(layer)
    async with AsyncExitStack() as stack:
        watchers = [
            await stack.enter_async_context(watcher_of(session.pk, "after=0" if n % 2 else ""))
            for n in range(20)
        ]
        for watcher in watchers:
            assert (await watcher.receive_json_from())["last_seq"] == 0

        seen = [asyncio.create_task(seqs(watcher, 201, timeout=20)) for watcher in watchers]
        await publish_all(session.pk, writers=4, each=50)
        await publish_lines(session.pk, session_ended("over"))

        for numbers in await asyncio.gather(*seen):
            assert numbers == list(range(1, 202))
        for watcher in watchers:
            assert await close_code(watcher) == 4410


async def test_a_client_that_connects_late_misses_nothing(session):
    writing = asyncio.create_task(publish_all(session.pk, writers=2, each=60))
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await asyncio.sleep(0.03)
            watcher = await stack.enter_async_context(watcher_of(session.pk))
            start = (await watcher.receive_json_from())["last_seq"]

            assert await seqs(watcher, 120 - start, timeout=20) == list(range(start + 1, 121))
        await writing


async def test_more_lines_at_once_than_a_reader_buffers(session):
    async with watcher_of(session.pk) as watcher:
        await watcher.receive_json_from()
        for _ in range(2):
            await publish_lines(session.pk, *(log("SYSTEM", "many") for _ in range(2 * PAGE + 1)))

        assert await seqs(watcher, 4 * PAGE + 2) == list(range(1, 4 * PAGE + 3))


async def test_the_last_line_is_found_without_notifications(session, settings):
    settings.CHANNEL_LAYERS = with_layer("SilentLayer")
    async with watcher_of(session.pk) as watcher:
        await watcher.receive_json_from()
        await publish_lines(session.pk, log("SYSTEM", "one"))
        assert await seqs(watcher, 1, timeout=2) == [1]
        await asyncio.sleep(0.3)  # out of step with the polling
        await publish_lines(session.pk, session_ended("over"))

        assert await seqs(watcher, 1, timeout=1) == [2]


class TestADatabaseOutage:
    """Simulated by renaming a table."""

    async def test_delays_lines(self, session):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await asyncio.sleep(0.1)
            await rename("streaming_stream", "elsewhere")
            try:
                assert await watcher.receive_nothing(timeout=1)
            finally:
                await rename("elsewhere", "streaming_stream")
            await publish_lines(session.pk, log("SYSTEM", "one"))

            assert await seqs(watcher, 1, timeout=2) == [1]

    async def test_is_reported_to_a_new_client(self, session):
        await rename("streaming_stream", "elsewhere")
        try:
            async with watcher_of(session.pk) as watcher:
                assert (await watcher.receive_json_from(5))["code"] == "unavailable"
                assert await close_code(watcher) == 1011
        finally:
            await rename("elsewhere", "streaming_stream")

    async def test_closes_an_interrupted_replay(self, session):
        await publish_lines(session.pk, *(log("SYSTEM", "many") for _ in range(2 * PAGE)))
        await rename("streaming_line", "elsewhere")
        try:
            async with watcher_of(session.pk, "after=0") as watcher:
                assert (await watcher.receive_json_from(5))["type"] == "welcome"
                assert await close_code(watcher) == 1011
        finally:
            await rename("elsewhere", "streaming_line")


@in_thread
def rename(table, name):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
