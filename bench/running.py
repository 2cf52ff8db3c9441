"""Starts the platform as compose does, and reads CPU time and memory of its processes."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")
UNLIMITED = {
    f"THROTTLE_{what}": "1000000/s" for what in ("LOGIN", "LOGIN_ADDRESS", "REGISTER", "API")
}
QUIET = {"LOG_LEVEL": "WARNING", "ACCESS_LOG": "false", "BCRYPT_ROUNDS": "12"}


@contextmanager
def platform() -> Iterator[Any]:
    """Run two webs, two workers, beat and the emulator on their own databases."""
    sys.path.insert(0, str(ROOT))
    from spot_optimizer.tests.processes import Processes

    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("Set DATABASE_URL and REDIS_URL to the PostgreSQL and Redis servers to use.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the processes are stopped
    with (
        tempfile.TemporaryDirectory() as folder,
        Processes(Path(folder), None, **UNLIMITED, **QUIET) as running,
    ):
        yield running


def tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants (a Celery worker has children)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(inner for child in children for inner in tree(int(child)))]


def cpu(pid: int) -> float:
    """Return the CPU time of a process and its descendants. [s]"""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def memory(pid: int) -> float:
    """Return the PSS of a process and its descendants. [MiB]"""
    kib = 0
    for one in tree(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        kib += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return kib / 1024
