"""
Measures the effect of clock jumps on the platform: ``python -m drills.clock``.

clock.c is preloaded into every process, PostgreSQL and Redis included, and changes only the wall
clock. libfaketime cannot be used: it breaks the sleep of Python 3.11. Needs a C compiler.
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

from drills.environment import Environment
from drills.load import Watcher
from drills.run import warm_up
from drills.servers import programs
from spot_optimizer.tests.process import Process
from spot_optimizer.tests.quickstart import until

HOUR = 3600  # [s]
SESSIONS = "/api/v1/sandbox/sessions"
PROFILE = "/api/v1/auth/profile"


class Clocks:
    """A clock for each process that can be set while the process runs."""

    def __init__(self, environment: Environment) -> None:
        self.environment, library = environment, environment.folder / "clock.so"
        source = Path(__file__).with_suffix(".c")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
        subprocess.run(command, check=True)  # noqa: S603  # our own file
        self.set(0)
        for process in environment.all:
            process.environment["LD_PRELOAD"] = str(library)
            process.environment["DRILL_CLOCK"] = str(self._file_of(process))

    def set(self, seconds: int, *only: Process) -> None:
        for process in only or self.environment.all:
            with os.fdopen(os.open(self._file_of(process), os.O_RDWR | os.O_CREAT), "r+b") as file:
                file.write(struct.pack("=q", seconds))  # in place: it is mapped

    def _file_of(self, process: Process) -> Path:
        return self.environment.folder / f"{process.name}.clock"


def summary(answer: Any) -> str:
    body = answer.json() if answer.data.startswith(b"{") else {}
    return f"{answer.status} {body.get('code') or body.get('state') or ''}".strip()


def seconds_until(found: Callable[[], Any]) -> str:
    began = time.monotonic()
    try:
        until(found, seconds=120)
    except AssertionError:
        return "not within 120 s"
    return f"within {time.monotonic() - began:.1f} s"


def busiest(processes: list[Process], seconds: int = 10) -> str:
    """Return the process that used most CPU time while the platform was idle."""
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
    """The steps of one user while the clocks are changed."""

    def __init__(self, environment: Environment, clocks: Clocks) -> None:
        self.environment, self.clocks = environment, clocks
        self.first, self.second = environment.platform.webs
        self.rows: list[tuple[str, str]] = []
        self.account: dict[str, Any] = {}

    def record(self, what: str, seen: str) -> None:
        self.rows.append((what, seen))
        print(f"| {what} | {seen} |", flush=True)  # noqa: T201

    def sign_up(self, name: str) -> str:
        body = {"email": f"{name}@example.com", "username": name, "password": "SecurePassword123"}
        self.account = self.first.request("POST", "/api/v1/auth/register", body).json()
        return str(self.account["access_token"])

    def profile(self, token: str, web: Any = None) -> str:
        return summary((web or self.first).request("GET", PROFILE, token=token))

    def evaluate(self, token: str) -> str:
        session = self.first.create_session(token, self.environment.instances[0])
        if "session_id" not in session:
            return str(session)
        began = time.monotonic()
        answer = self.first.evaluate(session["session_id"], token)
        return f"{summary(answer)} after {time.monotonic() - began:.1f} s"

    def a_web_behind(self) -> None:
        for seconds in (2, 30):
            self.clocks.set(-seconds, self.second)
            token = self.sign_up(f"behind{seconds}")
            seen = self.profile(token, self.second)
            self.record(
                f"web 2 is {seconds} s behind: a token just made at web 1, shown to it", seen
            )
        self.clocks.set(0)

    def forward(self) -> None:
        token = self.sign_up("forward")
        session = self.first.create_session(token, self.environment.instances[0])
        own = f"{SESSIONS}/{session['session_id']}"
        watcher = Watcher(session["session_id"], self.environment.platform.webs)
        watcher.start()
        self.clocks.set(3 * HOUR)
        answer = self.first.request("POST", f"{own}/evaluate", {}, token)
        self.record("3 hours forward: evaluate in a session of 2 hours", summary(answer))
        ended = seconds_until(
            lambda: self.first.request("GET", own, token=token).json()["state"] == "ended"
        )
        self.record("… it is cleaned up, its credentials erased", ended)
        watcher.join(timeout=30)
        self.record("… its watcher", ", ".join(close.what for close in watcher.closes))
        self.record("… the token of 24 hours", self.profile(token))
        self.record("… a new session, evaluated", self.evaluate(token))
        self.record("… the busiest process of all, idle", busiest(self.environment.all))

    def a_day_forward(self) -> None:
        token = self.sign_up("tomorrow")
        self.clocks.set(28 * HOUR + 60)
        self.record("25 hours forward: the token of 24 hours", self.profile(token))
        refresh = {"refresh_token": self.account["refresh_token"]}
        answer = self.first.request("POST", "/api/v1/auth/refresh", refresh)
        self.record("… refreshed", summary(answer))
        self.record("… a new session, evaluated", self.evaluate(answer.json()["access_token"]))

    def back(self) -> None:
        token = self.sign_up("back")
        self.clocks.set(27 * HOUR)
        self.record("1 hour back: a token made before", self.profile(token))
        login = {"email": "back@example.com", "password": "SecurePassword123"}
        answer = self.first.request("POST", "/api/v1/auth/login", login)
        self.record("… signed in again", summary(answer))
        self.record("… a new session, evaluated", self.evaluate(answer.json()["access_token"]))
        worker = self.environment.platform.workers
        before = sum(each.output.count("sandbox.cleanup_expired_sessions[") for each in worker)
        self.record(
            "… the beat's sweep of each 20 s runs again",
            seconds_until(
                lambda: (
                    sum(each.output.count("sandbox.cleanup_expired_sessions[") for each in worker)
                    > before
                )
            ),
        )
        self.record("… the busiest process of all, idle", busiest(self.environment.all))


def main() -> None:
    if programs() is None or not shutil.which("cc"):
        sys.exit("Install postgresql, redis and a C compiler for this drill.")
    environment = Environment()
    clocks = Clocks(environment)
    with environment:
        warm_up(environment)
        walk = Walk(environment, clocks)
        for step in (walk.a_web_behind, walk.forward, walk.a_day_forward, walk.back):
            try:
                step()
            except (AssertionError, KeyError, urllib3.exceptions.HTTPError) as error:
                walk.record(step.__name__, f"failed: {error!r}"[:200])


if __name__ == "__main__":
    main()
