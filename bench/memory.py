"""
Measures the memory of each process: at rest, after sessions and evaluations, with watchers.

    DATABASE_URL=postgresql://postgres@127.0.0.1:5432/any REDIS_URL=redis://127.0.0.1:6379/9 \
        python bench/memory.py

The baseline is the same process at rest, before its first request. Shared pages are
counted proportionally (PSS).
"""

import argparse
import asyncio
import time
from typing import Any

from running import memory, platform


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--watchers", type=int, default=500)
    options = parser.parse_args()
    with platform() as running:
        steps = {"at rest (baseline)": _resident_memory(running)}
        session = _create_sessions(running, options.sessions)
        steps[f"{options.sessions} sessions, evaluated twice"] = _resident_memory(running)
        steps["… evaluated twice again"] = _evaluate_again(running, session)
        steps[f"{options.watchers} watchers"] = asyncio.run(
            _with_watchers(running, session[0][0], options.watchers)
        )
        rest = steps["at rest (baseline)"]
    table = Table("MiB, PSS", *rest)
    for name, sizes in steps.items():
        table.add_row(
            name,
            *(f"{sizes[key]:.0f} ({sizes[key] / rest[key]:.2f})" for key in rest),
        )
    Console().print(table)


def _resident_memory(running: Any) -> dict[str, float]:
    return {
        "web": memory(running.webs[0].process.pid),
        "worker": memory(running.workers[0].process.pid),
        "beat": memory(running.beat.process.pid),
        "emulator": memory(running.emulator.process.pid),
    }


def _create_sessions(running: Any, count: int) -> list[tuple[str, str]]:
    """Create sessions, five per user, and evaluate each twice; return ids and tokens."""
    web, opened, token = running.webs[0], [], ""
    for number in range(count):
        if number % 5 == 0:
            token = web.register(f"memory-{number}-{time.time_ns()}")
        opened.append((web.create_session(token)["session_id"], token))
    _evaluate(web, opened)
    return opened


def _evaluate(web: Any, opened: list[tuple[str, str]]) -> None:
    for _ in range(2):
        for session, token in opened:
            web.evaluate(session, token)


def _evaluate_again(running: Any, opened: list[tuple[str, str]]) -> dict[str, float]:
    _evaluate(running.webs[0], opened)
    return _resident_memory(running)


async def _with_watchers(running: Any, session: str, count: int) -> dict[str, float]:
    from websockets.asyncio.client import connect

    url = f"ws://127.0.0.1:{running.webs[0].port}/api/v1/ws/sandbox/{session}?after=0"
    watchers = [await connect(url, compression=None, ping_interval=None) for _ in range(count)]
    await asyncio.sleep(2)
    sizes = _resident_memory(running)
    await asyncio.gather(*(watcher.close() for watcher in watchers))
    return sizes


if __name__ == "__main__":
    main()
