"""The platform as compose runs it, for benchmarks, and what its processes use."""

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
LIFTED = {f"THROTTLE_{what}": "1000000/s" for what in ("LOGIN", "LOGIN_ADDRESS", "REGISTER", "API")}
QUIET = {"LOG_LEVEL": "WARNING", "ACCESS_LOG": "false", "BCRYPT_ROUNDS": "12"}


@contextmanager
def platform() -> Iterator[Any]:
    """Two webs, two workers, beat and the emulator, in databases of their own, while it is open."""
    sys.path.insert(0, str(ROOT))
    from spot_optimizer.tests.processes import Processes

    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("Set DATABASE_URL and REDIS_URL: PostgreSQL's and Redis's servers to measure on.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or what we started would outlive us
    with (
        tempfile.TemporaryDirectory() as folder,
        Processes(Path(folder), **LIFTED, **QUIET) as running,
    ):
        yield running


def tree(pid: int) -> list[int]:
    """Return a process and its descendants: Celery's worker has children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(inner for child in children for inner in tree(int(child)))]


def cpu(pid: int) -> float:
    """Return what a process and its children have used. [s]"""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def memory(pid: int) -> float:
    """Return the memory of a process and its children, shared pages divided. [MiB]"""
    kib = 0
    for one in tree(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        kib += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return kib / 1024
