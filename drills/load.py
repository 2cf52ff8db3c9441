"""Load on the platform: users who evaluate, and watchers who reconnect and resume."""

import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any, NamedTuple

import urllib3
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from spot_optimizer.tests.quickstart import ApiClient

PAUSE = 0.5  # [s] between two evaluations, and before a watcher reconnects
ENDED = 4410
NO_CONNECTION = "no connection"
BROKEN_OFF = "broken off"


class Seen(NamedTuple):
    at: float  # [s] monotonic
    requested_at: float
    what: str


class User(threading.Thread):
    """Evaluates one session repeatedly, alternating between the web processes."""

    def __init__(self, name: str, webs: Sequence[ApiClient], instance: dict[str, Any]) -> None:
        super().__init__(name=name, daemon=True)
        self.webs = list(webs)
        self.token = self.webs[0].register(name)
        self.session = self.webs[-1].create_session(self.token, instance)
        self.own = f"/api/v1/sandbox/sessions/{self.session['session_id']}"
        self.seen: list[Seen] = []
        self.accepted: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        for web in cycle(self.webs):
            if self.over.wait(PAUSE):
                return
            self.evaluate(web)

    def evaluate(self, web: ApiClient) -> None:
        requested_at = time.monotonic()
        what = self._post_evaluate(web)
        self.seen.append(Seen(time.monotonic(), requested_at, what))

    def _post_evaluate(self, web: ApiClient) -> str:
        try:
            answer = web.request("POST", f"{self.own}/evaluate", {}, self.token)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
            return NO_CONNECTION
        except urllib3.exceptions.HTTPError:
            return BROKEN_OFF
        body = answer.json() if answer.data.startswith(b"{") else {}
        if "evaluation_id" in body:
            self.accepted.add(body["evaluation_id"])
        has_retry_after = answer.status not in (429, 503) or "Retry-After" in answer.headers
        what = f"{answer.status} {body.get('state') or body.get('code') or answer.data[:40]}"
        return what if has_retry_after else f"{what} without Retry-After"

    def has_decided_since(self, moment: float) -> bool:
        """Return whether a decision requested after that moment has arrived."""
        return any(
            seen.requested_at >= moment and seen.what == "200 decided" for seen in list(self.seen)
        )

    def evaluations(self) -> list[dict[str, Any]]:
        """Return all evaluations of the session, including those without a response."""
        path = f"{self.own}/evaluations?limit=200"
        return self.webs[0].request("GET", path, token=self.token).json()["results"]

    def lines(self) -> list[dict[str, Any]]:
        text = self.webs[0].request(
            "GET", f"{self.own}/logs", token=self.token, Accept="application/x-ndjson"
        )
        return [json.loads(line) for line in text.data.splitlines()]


class Watcher(threading.Thread):
    """Watches a session to its end; reconnects to the next web process and resumes."""

    def __init__(self, session_id: str, webs: Sequence[ApiClient]) -> None:
        super().__init__(name=f"watcher of {session_id}", daemon=True)
        self.session_id, self.webs = session_id, list(webs)
        self.lines: list[dict[str, Any]] = []
        self.arrivals: list[tuple[float, float]] = []  # [s] monotonic, and how late the line was
        self.closes: list[Seen] = []
        self.over = threading.Event()

    def run(self) -> None:
        for web in cycle(self.webs):
            began = time.monotonic()
            what = self._watch(web)
            self.closes.append(Seen(time.monotonic(), began, what))
            if what == str(ENDED) or self.over.wait(PAUSE):
                return

    def _watch(self, web: ApiClient) -> str:
        after = self.lines[-1]["seq"] if self.lines else 0
        where = f"/api/v1/ws/sandbox/{self.session_id}?after={after}"
        try:
            with connect(f"ws://127.0.0.1:{web.port}{where}", close_timeout=1) as socket:
                welcome = json.loads(socket.recv())
                while True:
                    self._receive(json.loads(socket.recv()), welcome.get("last_seq", 0))
        except ConnectionClosed as closed:
            return str(closed.rcvd.code) if closed.rcvd else BROKEN_OFF
        except (OSError, WebSocketException):
            return NO_CONNECTION

    def _receive(self, frame: dict[str, Any], replayed: int) -> None:
        if "seq" not in frame:
            return
        self.lines.append(frame)
        if frame["seq"] > replayed:  # replayed lines do not count
            late = datetime.now(UTC) - datetime.fromisoformat(frame["timestamp"])
            self.arrivals.append((time.monotonic(), late.total_seconds()))
