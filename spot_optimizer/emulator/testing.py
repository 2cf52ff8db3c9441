"""A pytest fixture that runs an emulator, and a client for its HTTP control API."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class EmulatorClient:
    """A running emulator. A rejected command raises ``ValueError``."""

    url: str
    account_id: str
    access_key: str
    secret_key: str = field(repr=False)

    def instances(self, lifecycle: str | None = None) -> list[dict[str, Any]]:
        """Return the instances, as ``GET /_emulator`` lists them; all, or of one lifecycle."""
        known: list[dict[str, Any]] = self._request("GET", "")["instances"]
        return [i for i in known if lifecycle in (None, i["lifecycle"])]

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the logged requests after number ``after``, oldest first."""
        found: list[dict[str, Any]] = self._request("GET", f"/requests?after={after}")["requests"]
        return found

    def last_request(self) -> int:
        """Return the number of the newest logged request, 0 before the first."""
        return max((entry["n"] for entry in self.requests()), default=0)

    def deny(self, *actions: str) -> None:
        """Deny these actions, such as "ec2:DescribeInstances", and no others."""
        self._request("POST", "/deny", actions=list(actions))

    def fail(self, action: str, *, code: str, status: int = 400, times: int = 1) -> None:
        self._request("POST", "/fail", action=action, code=code, status=status, times=times)

    def delay(self, action: str, *, seconds: float, times: int = 1) -> None:
        self._request("POST", "/delay", action=action, seconds=seconds, times=times)

    def garbage(self, action: str, *, times: int = 1) -> None:
        self._request("POST", "/garbage", action=action, times=times)

    def interrupt(self, instance_id: str) -> dict[str, Any]:
        """Interrupt a spot instance; return whether the event was delivered."""
        return self._request("POST", "/interrupt", instance_id=instance_id)

    def rebalance(self, instance_id: str) -> dict[str, Any]:
        """Recommend a rebalance; return whether the event was delivered."""
        return self._request("POST", "/rebalance", instance_id=instance_id)

    def reset(self) -> None:
        """Clear all faults and signals."""
        self._request("POST", "/reset")

    def _request(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        response = urllib3.request(
            method,
            f"{self.url}/_emulator{path}",
            json=fields if method == "POST" else None,
            timeout=30,
        )
        body: dict[str, Any] = response.json()
        if response.status != 200:
            raise ValueError(body["detail"])
        return body


@contextmanager
def running_emulator(*arguments: str, eventbridge_secret: str = "") -> Iterator[EmulatorClient]:
    """Run an emulator on a free port for the block; it also stops when this process ends."""
    command = [sys.executable, "-m", "spot_optimizer.emulator", "--port=0", "--parent-watch"]
    environment = os.environ | {"EVENTBRIDGE_SECRET": eventbridge_secret}
    with subprocess.Popen(  # noqa: S603
        [*command, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            ready = json.loads(process.stdout.readline()) if process.stdout else {}
            names = ("url", "account_id", "access_key", "secret_key")
            yield EmulatorClient(*(ready[name] for name in names))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorClient]:
    """One emulator for all tests; each begins without faults and signals."""
    with running_emulator() as client:
        yield client


@pytest.fixture(autouse=True)
def reset_emulator(request: pytest.FixtureRequest) -> None:
    """Reset the emulator before each test that uses it; start none for the others."""
    if "emulator" in request.fixturenames:
        request.getfixturevalue("emulator").reset()
