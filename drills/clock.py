"""
What a clock that jumps does to the platform: ``python -m drills.clock``.

Under every process, PostgreSQL and Redis included, lies clock.c, which sets the wall clock and no
other; libfaketime would not do, because it breaks the sleep of Python 3.11. Needs a C compiler.
"""

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from drills.load import Watcher
from drills.run import warm_up
from drills.servers import programs
from drills.stand import Stand
from spot_optimizer.tests.platform import until
from spot_optimizer.tests.process import Process

HOUR = 3600  # [s]
SESSIONS = "/api/v1/sandbox/sessions"
PROFILE = "/api/v1/auth/profile"


class Clocks:
    """A clock for each process, which may be set while it runs."""

    def __init__(self, stand: Stand) -> None:
        self.stand, library = stand, stand.folder / "clock.so"
        source = Path(__file__).with_suffix(".c")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
        subprocess.run(command, check=True)  # noqa: S603  # our own file
        self.set(0)
        for process in stand.all:
            process.environment["LD_PRELOAD"] = str(library)
            process.environment["DRILL_CLOCK"] = str(self._file_of(process))

    def set(self, seconds: int, *only: Process) -> None:
        for process in only or self.stand.all:
            with os.fdopen(os.open(self._file_of(process), os.O_RDWR | os.O_CREAT), "r+b") as file:
                file.write(struct.pack("=q", seconds))  # in place: it is mapped

    def _file_of(self, process: Process) -> Path:
        return self.stand.folder / f"{process.name}.clock"


def said(answer: Any) -> str:
    told = answer.json() if answer.data.startswith(b"{") else {}
    return f"{answer.status} {told.get('code') or told.get('state') or ''}".strip()


def seconds_until(found: Callable[[], Any]) -> str:
    began = time.monotonic()
    try:
        until(found, seconds=120)
    except AssertionError:
        return "not within 120 s"
    return f"within {time.monotonic() - began:.1f} s"


def busiest(processes: list[Process], seconds: int = 10) -> str:
    """Return who used most of a processor while nobody asked for anything."""
    before = {process.name: _used(process) for process in processes}
    time.sleep(seconds)
    shares = {
        process.name: (_used(process) - before[process.name]) / seconds for process in processes
    }
    name = max(shares, key=lambda name: shares[name])
    return f"{name}, {shares[name]:.0%} of a processor"


def _used(process: Process) -> float:
    """Return the processor time of a process. [s]"""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Walk:
    """One user, while the clocks are set."""

    def __init__(self, stand: Stand, clocks: Clocks) -> None:
        self.stand, self.clocks = stand, clocks
        self.first, self.second = stand.platform.webs
        self.rows: list[tuple[str, str]] = []
        self.account: dict[str, Any] = {}

    def see(self, what: str, seen: str) -> None:
        self.rows.append((what, seen))
        print(f"| {what} | {seen} |", flush=True)  # noqa: T201

    def sign_up(self, name: str) -> str:
        body = {"email": f"{name}@example.com", "username": name, "password": "SecurePassword123"}
        self.account = self.first.ask("POST", "/api/v1/auth/register", body).json()
        return str(self.account["access_token"])

    def profile(self, token: str, web: Any = None) -> str:
        return said((web or self.first).ask("GET", PROFILE, token=token))

    def evaluate(self, token: str) -> str:
        session = self.first.a_session(token, self.stand.instances[0])
        if "session_id" not in session:
            return str(session)
        began = time.monotonic()
        answer = self.first.evaluated(session["session_id"], token)
        return f"{said(answer)} after {time.monotonic() - began:.1f} s"

    def a_web_behind(self) -> None:
        for seconds in (2, 30):
            self.clocks.set(-seconds, self.second)
            token = self.sign_up(f"behind{seconds}")
            seen = self.profile(token, self.second)
            self.see(f"web 2 is {seconds} s behind: a token just made at web 1, shown to it", seen)
        self.clocks.set(0)

    def forward(self) -> None:
        token = self.sign_up("forward")
        session = self.first.a_session(token, self.stand.instances[0])
        own = f"{SESSIONS}/{session['session_id']}"
        watcher = Watcher(session["session_id"], self.stand.platform.webs)
        watcher.start()
        self.clocks.set(3 * HOUR)
        asked = self.first.ask("POST", f"{own}/evaluate", {}, token)
        self.see("3 hours forward: evaluate in a session of 2 hours", said(asked))
        ended = seconds_until(
            lambda: self.first.ask("GET", own, token=token).json()["state"] == "ended"
        )
        self.see("… it is cleaned up, its credentials erased", ended)
        watcher.join(timeout=30)
        self.see("… its watcher", ", ".join(close.what for close in watcher.closes))
        self.see("… the token of 24 hours", self.profile(token))
        self.see("… a new session, evaluated", self.evaluate(token))
        self.see("… the busiest process of all, idle", busiest(self.stand.all))

    def a_day_forward(self) -> None:
        token = self.sign_up("tomorrow")
        self.clocks.set(28 * HOUR + 60)
        self.see("25 hours forward: the token of 24 hours", self.profile(token))
        refresh = {"refresh_token": self.account["refresh_token"]}
        answer = self.first.ask("POST", "/api/v1/auth/refresh", refresh)
        self.see("… refreshed", said(answer))
        self.see("… a new session, evaluated", self.evaluate(answer.json()["access_token"]))

    def back(self) -> None:
        token = self.sign_up("back")
        self.clocks.set(27 * HOUR)
        self.see("1 hour back: a token made before", self.profile(token))
        login = {"email": "back@example.com", "password": "SecurePassword123"}
        answer = self.first.ask("POST", "/api/v1/auth/login", login)
        self.see("… signed in again", said(answer))
        self.see("… a new session, evaluated", self.evaluate(answer.json()["access_token"]))
        worker = self.stand.platform.workers
        before = sum(each.said.count("sandbox.cleanup_expired_sessions[") for each in worker)
        self.see(
            "… the beat's sweep of each 20 s runs again",
            seconds_until(
                lambda: (
                    sum(each.said.count("sandbox.cleanup_expired_sessions[") for each in worker)
                    > before
                )
            ),
        )
        self.see("… the busiest process of all, idle", busiest(self.stand.all))


def main() -> None:
    if programs() is None or not shutil.which("cc"):
        sys.exit("Install postgresql, redis and a C compiler for this drill.")
    stand = Stand()
    clocks = Clocks(stand)
    with stand:
        warm_up(stand)
        walk = Walk(stand, clocks)
        for step in (walk.a_web_behind, walk.forward, walk.a_day_forward, walk.back):
            try:
                step()
            except (AssertionError, KeyError, urllib3.exceptions.HTTPError) as error:
                walk.see(step.__name__, f"gave up: {error!r}"[:200])


if __name__ == "__main__":
    main()
