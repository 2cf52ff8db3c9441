"""The whole platform as a newcomer starts it: a real process, driven over its ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
import websockets

from spot_optimizer.tests.services import lease_services, release_services

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN = 60  # [s]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(found: Callable[[], Any], *, seconds: float = 30, what: str = "it") -> Any:
    """Return what is found, as soon as it is something."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if answer := found():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")


SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "EVENTBRIDGE_SECRET")


def bare_environment() -> dict[str, str]:
    """Return our own environment without what a test run has set for itself."""
    # Processes start faster with compiled modules.
    unwanted = {*SECRETS, "DJANGO_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


class ApiClient:
    """What users do at the platform's edge: over HTTP, and nothing else of ours."""

    port: int
    facts: dict[str, Any]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: Any = None, token: str = "", **headers: str
    ) -> Any:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return urllib3.request(
            method,
            self.base_url + path,
            json=body,
            headers=headers,
            timeout=30,
            retries=False,
        )

    def emulator(self, path: str, **body: Any) -> Any:
        url = f"{self.facts['aws_endpoint_url']}/_emulator{path}"
        method = "POST" if body else "GET"
        return urllib3.request(method, url, json=body or None, timeout=30, retries=False).json()

    def register(self, name: str = "walker") -> str:
        body = {"email": f"{name}@example.com", "username": name, "password": "SecurePassword123"}
        return self.request("POST", "/api/v1/auth/register", body).json()["access_token"]

    def create_session(
        self, token: str, instance: dict[str, Any] | None = None, **fields: Any
    ) -> Any:
        facts = self.facts
        instance = instance or facts["instances"][0]
        body = {
            "instance_id": instance["instance_id"],
            "instance_type": instance["instance_type"],
            "availability_zone": instance["availability_zone"],
            "aws_region": instance["region"],
            "aws_access_key": facts["access_key"],
            "aws_secret_key": facts["secret_key"],
        }
        return self.request("POST", "/api/v1/sandbox/sessions", body | fields, token).json()

    def evaluate(self, session_id: str, token: str) -> Any:
        """Evaluate, and look again where the first one of a region takes more than ten seconds."""
        path = f"/api/v1/sandbox/sessions/{session_id}/evaluate"
        answer = self.request("POST", path, {}, token)
        where = answer.headers.get("Location")
        while answer.status in (200, 202) and answer.json()["state"] == "pending":
            time.sleep(0.5)
            answer = self.request("GET", where, token=token)
        return answer

    async def watch(
        self, session: dict[str, Any], *, after: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return every frame until the stream ends, and the code it was closed with."""
        where = f"/api/v1/ws/sandbox/{session['session_id']}?after={after}"
        frames = []
        async with websockets.connect(f"ws://127.0.0.1:{self.port}{where}") as websocket:
            try:
                while True:
                    frames.append(json.loads(await websocket.recv()))
            except websockets.ConnectionClosed as closed:
                return frames, closed.rcvd.code

    def lines(self, session_id: str, token: str) -> list[dict[str, Any]]:
        path = f"/api/v1/sandbox/sessions/{session_id}/logs"
        return self.request("GET", path, token=token).json()["results"]


class Platform(ApiClient):
    """`manage.py quickstart` on a folder and a database of its own."""

    def __init__(self, var_dir: Path, **environment: str) -> None:
        self.var_dir, self.port, self.emulator_port = var_dir, free_port(), free_port()
        self.environment = {**bare_environment(), "VAR_DIR": str(var_dir)}
        self.environment |= lease_services() | environment
        self.log = var_dir.parent / "platform.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Platform":
        arguments = ["--port", str(self.port), "--emulator-port", str(self.emulator_port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + START_WITHIN
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.request("GET", "/health").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"did not start within {START_WITHIN} s:\n{self.log.read_text()}")

    def __enter__(self) -> "Platform":
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        release_services(self.environment)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.var_dir / "quickstart.json").read_text())
