import asyncio
import socket
import time
from uuid import uuid4

from channels.layers import get_channel_layer

from streaming.notifications import POLL_INTERVAL, Notifications
from streaming.publish import GROUP
from streaming.tests.layers import with_layer
from streaming.tests.test_publish import redis_at


def anything(stream_id, seq):
    return True


async def seconds(waiting):
    started = time.monotonic()
    await waiting
    return time.monotonic() - started


async def notify(stream_id, seq=1):
    message = {"type": "notification", "stream": str(stream_id), "seq": seq}
    await get_channel_layer().group_send(GROUP, message)


class TestWait:
    async def test_a_relevant_notification_ends_it(self):
        async with Notifications(anything) as notifications:
            await notifications.wait()  # joins
            waiting = asyncio.create_task(seconds(notifications.wait()))
            await asyncio.sleep(0.1)
            await notify(uuid4())

            assert await waiting < 0.5

    async def test_the_first_one_returns_at_once(self):
        async with Notifications(anything) as notifications:
            assert await seconds(notifications.wait()) < 0.5

    async def test_an_irrelevant_notification_does_not_end_it(self):
        mine, other = uuid4(), uuid4()

        async with Notifications(
            lambda stream_id, seq: stream_id == mine and seq > 4
        ) as notifications:
            await notifications.wait()
            waiting = asyncio.create_task(seconds(notifications.wait()))
            await asyncio.sleep(0.05)
            await notify(other, 9)
            await notify(mine, 4)

            assert await waiting > POLL_INTERVAL - 0.1

    async def test_a_malformed_notification_is_ignored(self):
        async with Notifications(anything) as notifications:
            await notifications.wait()
            waiting = asyncio.create_task(seconds(notifications.wait()))
            await asyncio.sleep(0.05)
            for nonsense in ({"type": "x"}, {"stream": "x", "seq": 1}, {"stream": 5, "seq": 1}):
                await get_channel_layer().group_send(GROUP, nonsense)

            assert await waiting > POLL_INTERVAL - 0.1

    async def test_without_notifications_wait_returns_after_the_poll_interval(self, settings):
        settings.CHANNEL_LAYERS = with_layer("SilentLayer")
        async with Notifications(anything) as notifications:
            await notifications.wait()
            await notify(uuid4())

            assert POLL_INTERVAL - 0.1 < await seconds(notifications.wait()) < 1

    async def test_joins_the_group_again_after_its_loss(self):
        async with Notifications(anything) as notifications:
            await notifications.wait()
            await get_channel_layer().flush()
            await notifications.wait()  # receives nothing
            waiting = asyncio.create_task(seconds(notifications.wait()))
            await asyncio.sleep(0.1)
            await notify(uuid4())

            assert await waiting < 0.5


async def test_a_canceled_wait_returns_at_once():
    # Some of these are canceled while the Redis client connects or sends.
    async def wait_on():
        async with Notifications(lambda stream_id, seq: False) as notifications:
            while True:
                await notifications.wait()

    slowest = 0.0
    for n in range(200):
        waiting = asyncio.create_task(wait_on())
        await asyncio.sleep(n % 50 / 10_000)
        waiting.cancel()
        slowest = max(slowest, await seconds(asyncio.wait({waiting})))

    assert slowest < 0.5


class TestAnOutage:
    async def test_the_first_wait_after_it_returns_at_once(self, monkeypatch):
        async def fail(*_):
            raise OSError

        async with Notifications(anything) as notifications:
            await notifications.wait()  # joins
            with monkeypatch.context() as patch:
                patch.setattr(get_channel_layer(), "group_add", fail)
                assert await seconds(notifications.wait()) > POLL_INTERVAL - 0.1

            assert await seconds(notifications.wait()) < 0.5

    async def test_an_unavailable_channel_layer_only_delays(self, settings):
        settings.CHANNEL_LAYERS = redis_at(1)
        async with Notifications(anything) as notifications:
            for _ in range(2):
                assert POLL_INTERVAL - 0.1 < await seconds(notifications.wait()) < 1

    async def test_a_channel_layer_that_does_not_answer_only_delays(self, settings):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            settings.CHANNEL_LAYERS = redis_at(silent.getsockname()[1])
            async with Notifications(anything) as notifications:
                for _ in range(2):
                    assert POLL_INTERVAL - 0.1 < await seconds(notifications.wait()) < 1
