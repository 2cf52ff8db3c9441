"""
How late the last of 100, 1,000 and 5,000 watchers has a line, and whether any is lost.

    DATABASE_URL=postgresql://postgres@127.0.0.1:5432/any REDIS_URL=redis://127.0.0.1:6379/9 \
        python bench/fanout.py

The lines are those of evaluations, from POST to socket. The baseline is the way of Channels'
tutorial in the same run: each line is sent to a group in Redis that holds a channel for each
watcher, until all of these have received it; without a server, a socket or a table.
"""

import argparse
import asyncio
import json
import os
import time
from typing import Any

from running import cpu, memory, platform

LINES = 10  # of the baseline: as many as an evaluation has
HUSH = 2.0  # [s] without a line: it is over
AT_ONCE = 50  # watchers that come at the same time


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--watchers", type=int, nargs="+", default=[100, 1000, 5000])
    counts = parser.parse_args().watchers
    table = Table("watchers", "last behind first, ms", "lost", "doubled", "CPU us a frame")
    for column in ("KiB a watcher", "baseline, ms a line", "of baseline"):
        table.add_column(column)
    with platform() as running:
        for count in counts:
            cells, behind = asyncio.run(_fan(running.webs[0], count))
            base = asyncio.run(_group(count))
            table.add_row(str(count), *cells, f"{base:.1f}", f"{behind / base:.2f}")
    Console().print(table)


async def _fan(web: Any, count: int) -> tuple[list[str], float]:
    token = web.register(f"fan-{count}-{time.time_ns()}")
    session = web.create_session(token)["session_id"]
    await asyncio.to_thread(web.evaluate, session, token)  # warm
    await asyncio.sleep(HUSH)
    pid, before = web.process.pid, memory(web.process.pid)
    gate = asyncio.Semaphore(AT_ONCE)
    seen: list[dict[int, list[float]]] = [{} for _ in range(count)]
    ready = [asyncio.Event() for _ in range(count)]
    tasks = [
        asyncio.create_task(_watch(web.port, session, gate, *pair))
        for pair in zip(seen, ready, strict=True)
    ]
    await asyncio.gather(*(event.wait() for event in ready))
    each, used = (memory(pid) - before) * 1024 / count, cpu(pid)
    await asyncio.to_thread(web.evaluate, session, token)
    last = -1
    while (now := sum(map(len, seen))) != last:
        last = now
        await asyncio.sleep(HUSH)
    used = cpu(pid) - used
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _cells(seen, used, each)


async def _watch(
    port: int,
    session: str,
    gate: asyncio.Semaphore,
    seen: dict[int, list[float]],
    ready: asyncio.Event,
) -> None:
    from websockets.asyncio.client import connect

    url = f"ws://127.0.0.1:{port}/api/v1/ws/sandbox/{session}"
    async with gate:
        watcher = await connect(url, open_timeout=60, compression=None, ping_interval=None)
        await watcher.recv()  # welcome
    ready.set()
    async for frame in watcher:
        seen.setdefault(json.loads(frame)["seq"], []).append(time.perf_counter())


def _cells(seen: list[dict[int, list[float]]], used: float, each: float) -> tuple[list[str], float]:
    lines = {seq for one in seen for seq in one}
    times = {seq: [one[seq][0] for one in seen if seq in one] for seq in lines}
    behind = sorted((max(at) - min(at)) * 1000 for at in times.values())
    lost = sum(len(seen) - len(at) for at in times.values())
    doubled = sum(len(at) - 1 for one in seen for at in one.values())
    frames = sum(map(len, times.values()))
    middle = behind[len(behind) // 2]
    cells = [f"{middle:.1f}", str(lost), str(doubled), f"{used * 1e6 / frames:.0f}", f"{each:.0f}"]
    return cells, middle


async def _group(count: int) -> float:
    """Return how long Channels takes until all channels of a group have a line. [ms]"""
    from channels_redis.core import RedisChannelLayer

    layer = RedisChannelLayer(hosts=[os.environ["REDIS_URL"]], prefix="bench")
    channels = [await layer.new_channel() for _ in range(count)]
    for channel in channels:
        await layer.group_add("bench", channel)
    began = time.perf_counter()
    for number in range(LINES):
        await layer.group_send("bench", {"type": "line", "text": "x" * 200, "seq": number})
        await asyncio.gather(*(layer.receive(channel) for channel in channels))
    took = (time.perf_counter() - began) * 1000 / LINES
    await layer.flush()
    await layer.close_pools()
    return took


if __name__ == "__main__":
    main()
