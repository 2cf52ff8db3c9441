import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull

from streaming.in_memory_layer import ThreadSafeLayer


class TestThreads:
    async def test_a_send_from_another_thread_wakes_a_receiver(self):
        layer = ThreadSafeLayer()
        channel = await layer.new_channel()
        waiting = asyncio.create_task(layer.receive(channel))
        await asyncio.sleep(0.05)

        started = time.monotonic()
        threading.Thread(target=async_to_sync(layer.send), args=(channel, {"n": 1})).start()

        assert await asyncio.wait_for(waiting, 5) == {"n": 1}
        assert time.monotonic() - started < 1

    async def test_nothing_is_lost_or_doubled_between_threads(self):
        layer = ThreadSafeLayer(capacity=10_000)
        channels = [await layer.new_channel() for _ in range(3)]
        for channel in channels:
            await layer.group_add("all", channel)

        def shout(thread):
            for n in range(200):
                async_to_sync(layer.group_send)("all", {"n": thread * 200 + n})

        def listen(channel):
            async def all_of_them():
                return [(await layer.receive(channel))["n"] for _ in range(800)]

            return asyncio.run(asyncio.wait_for(all_of_them(), 20))

        with ThreadPoolExecutor(max_workers=7) as pool:
            heard = [pool.submit(listen, channel) for channel in channels]
            list(pool.map(shout, range(4)))

        for listener in heard:
            assert sorted(listener.result()) == list(range(800))

    async def test_a_receiver_whose_loop_is_gone_stops_nobody(self):
        layer = ThreadSafeLayer()
        channel = await layer.new_channel()
        await layer.group_add("all", channel)

        def begin_to_receive_and_die():
            loop = asyncio.new_event_loop()
            task = loop.create_task(layer.receive(channel))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            task._log_destroy_pending = False

        await asyncio.to_thread(begin_to_receive_and_die)
        await layer.group_send("all", {"n": 1})

        assert await asyncio.wait_for(layer.receive(channel), 1) == {"n": 1}


class TestGroups:
    async def test_all_members_get_what_is_sent_and_none_after_leaving(self):
        layer = ThreadSafeLayer()
        first, second = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("all", first)
        await layer.group_add("all", second)

        await layer.group_send("all", {"n": 1})
        await layer.group_discard("all", second)
        await layer.group_send("all", {"n": 2})

        assert [await layer.receive(first) for _ in range(2)] == [{"n": 1}, {"n": 2}]
        assert await _nothing(layer, second)

    async def test_a_message_is_nobody_elses_to_change(self):
        layer = ThreadSafeLayer()
        first, second = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("all", first)
        await layer.group_add("all", second)

        await layer.group_send("all", {"words": []})
        (await layer.receive(first))["words"].append("mine")

        assert await layer.receive(second) == {"words": []}

    async def test_a_member_that_does_not_join_again_is_forgotten(self):
        layer = ThreadSafeLayer(group_expiry=0.05)
        channel = await layer.new_channel()
        await layer.group_add("all", channel)

        await asyncio.sleep(0.1)
        await layer.group_send("all", {"n": 1})

        assert await _nothing(layer, channel)


class TestBounds:
    async def test_who_never_receives_costs_a_bounded_box(self):
        layer = ThreadSafeLayer(capacity=3)
        channel = await layer.new_channel()
        await layer.group_add("all", channel)

        for n in range(1000):
            await layer.group_send("all", {"n": n})

        assert [(await layer.receive(channel))["n"] for _ in range(3)] == [997, 998, 999]

    async def test_a_full_channel_refuses(self):
        layer = ThreadSafeLayer(capacity=1)
        channel = await layer.new_channel()
        await layer.send(channel, {"n": 1})

        with pytest.raises(ChannelFull):
            await layer.send(channel, {"n": 2})

    async def test_an_old_message_is_not_delivered(self):
        layer = ThreadSafeLayer(expiry=0.05)
        channel = await layer.new_channel()
        await layer.send(channel, {"n": 1})

        await asyncio.sleep(0.1)

        assert await _nothing(layer, channel)

    async def test_ten_thousand_passing_receivers_leave_nothing_behind(self):
        layer = ThreadSafeLayer()
        for _ in range(10_000):
            channel = await layer.new_channel()
            await layer.group_add("all", channel)
            await layer.group_send("all", {"n": 1})
            await layer.group_discard("all", channel)

        assert not layer._channels
        assert not layer._groups

    async def test_a_cancelled_receiver_loses_nothing(self):
        layer = ThreadSafeLayer()
        channel = await layer.new_channel()
        assert await _nothing(layer, channel)

        await layer.send(channel, {"n": 1})

        assert await layer.receive(channel) == {"n": 1}


async def _nothing(layer, channel):
    started = time.monotonic()
    try:
        await asyncio.wait_for(layer.receive(channel), 0.05)
    except TimeoutError:
        return time.monotonic() - started < 1
    return False
