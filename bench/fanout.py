"""
Measures the delivery of lines to 100, 1,000 and 5,000 watchers: delay, lost and duplicate lines.

    DATABASE_URL=postgresql://postgres@127.0.0.1:5432/any REDIS_URL=redis://127.0.0.1:6379/9 \
        python bench/fanout.py

The lines are those of evaluations, from the POST request to the socket. The baseline, in the same
run, is a Channels group as in the tutorial: each line is sent to a group in Redis with one channel
per watcher, until all channels have received it; without a server, sockets or a table.
"""

import argparse
import asyncio
import json
import os
import time
from typing import Any

from running import cpu, memory, platform

LINES = 10  # for the baseline; an evaluation has as many
IDLE_SECONDS = 2.0  # without a new line, delivery is complete
CONCURRENT_CONNECTS = 50


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--watchers", type=int, nargs="+", default=[100, 1000, 5000])
    counts = parser.parse_args().watchers
    table = Table("watchers", "last after first, ms", "lost", "duplicate", "CPU us/frame")
    for column in ("KiB/watcher", "baseline, ms/line", "ratio"):
        table.add_column(column)
    with platform() as running:
        for count in counts:
            cells, spread = asyncio.run(_fan_out(running.webs[0], count))
            base = asyncio.run(_measure_group(count))
            table.add_row(str(count), *cells, f"{base:.1f}", f"{spread / base:.2f}")
    Console().print(table)


async def _fan_out(web: Any, count: int) -> tuple[list[str], float]:
    token = web.register(f"fanout-{count}-{time.time_ns()}")
    session = web.create_session(token)["session_id"]
    await asyncio.to_thread(web.evaluate, session, token)  # warm-up
    await asyncio.sleep(IDLE_SECONDS)
    pid, before = web.process.pid, memory(web.process.pid)
    slots = asyncio.Semaphore(CONCURRENT_CONNECTS)
    seen: list[dict[int, list[float]]] = [{} for _ in range(count)]
    ready = [asyncio.Event() for _ in range(count)]
    tasks = [
        asyncio.create_task(_watch(web.port, session, slots, *pair))
        for pair in zip(seen, ready, strict=True)
    ]
    await asyncio.gather(*(event.wait() for event in ready))
    each, used = (memory(pid) - before) * 1024 / count, cpu(pid)
    await asyncio.to_thread(web.evaluate, session, token)
    last = -1
    while (now := sum(map(len, seen))) != last:
        last = now
        await asyncio.sleep(IDLE_SECONDS)
    used = cpu(pid) - used
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _cells(seen, used, each)


async def _watch(
    port: int,
    session: str,
    slots: asyncio.Semaphore,
    seen: dict[int, list[float]],
    ready: asyncio.Event,
) -> None:
    from websockets.asyncio.client import connect

    url = f"ws://127.0.0.1:{port}/api/v1/ws/sandbox/{session}"
    async with slots:
        watcher = await connect(url, open_timeout=60, compression=None, ping_interval=None)
        await watcher.recv()  # welcome
    ready.set()
    async for frame in watcher:
        seen.setdefault(json.loads(frame)["seq"], []).append(time.perf_counter())


def _cells(seen: list[dict[int, list[float]]], used: float, each: float) -> tuple[list[str], float]:
    lines = {seq for one in seen for seq in one}
    times = {seq: [one[seq][0] for one in seen if seq in one] for seq in lines}
    spreads = sorted((max(at) - min(at)) * 1000 for at in times.values())
    lost = sum(len(seen) - len(at) for at in times.values())
    duplicates = sum(len(at) - 1 for one in seen for at in one.values())
    frames = sum(map(len, times.values()))
    median = spreads[len(spreads) // 2]
    cells = [
        f"{median:.1f}",
        str(lost),
        str(duplicates),
        f"{used * 1e6 / frames:.0f}",
        f"{each:.0f}",
    ]
    return cells, median


async def _measure_group(count: int) -> float:
    """Return the mean time until all channels of a group have received a line. [ms]"""
    from channels_redis.core import RedisChannelLayer

    layer = RedisChannelLayer(hosts=[os.environ["REDIS_URL"]], prefix="bench")
    channels = [await layer.new_channel() for _ in range(count)]
    for channel in channels:
        await layer.group_add("bench", channel)
    began = time.perf_counter()
    for number in range(LINES):
        await layer.group_send("bench", {"type": "line", "text": "x" * 200, "seq": number})
        await asyncio.gather(*(layer.receive(channel) for channel in channels))
    mean = (time.perf_counter() - began) * 1000 / LINES
    await layer.flush()
    await layer.close_pools()
    return mean


if __name__ == "__main__":
    main()
