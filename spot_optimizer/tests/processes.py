"""The platform as compose runs it: separate processes on PostgreSQL and Redis, by environment."""

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pytest
import urllib3
import yaml

from spot_optimizer.tests.process import Process
from spot_optimizer.tests.quickstart import ROOT, ApiClient, bare_environment, free_port
from spot_optimizer.tests.services import is_on_services, lease_services, release_services

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
EMULATOR = ["python", "-m", "spot_optimizer.emulator"]  # in no production, so not in compose

OPTIONAL = re.compile(r"\$\{\w+:-([^}]*)\}")
SECRETS = {
    "SECRET_KEY": "tests-only-" + "s" * 40,
    "JWT_SECRET_KEY": "tests-only-" + "j" * 40,
    "ENCRYPTION_KEY": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "EVENTBRIDGE_SECRET": "tests-only-" + "e" * 40,
}

needs_services = pytest.mark.skipif(
    not is_on_services(),
    reason="separate processes meet in PostgreSQL and Redis: set DATABASE_URL and REDIS_URL",
)


class Emulator(Process):
    def __init__(self, *arguments: Any, port: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            return self.control("").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def control(self, path: str, **body: Any) -> Any:
        method, url = "POST" if body else "GET", f"{self.url}/_emulator{path}"
        return urllib3.request(method, url, json=body or None, timeout=30, retries=False)


class Web(Process, ApiClient):
    def __init__(self, *arguments: Any, facts: dict[str, Any], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.port, self.facts = int(self.environment["API_PORT"]), facts

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/health/live").status == 200
        except urllib3.exceptions.HTTPError:
            return False


class HeartbeatProcess(Process):
    """A worker or a beat, whose health check in compose looks at a file that it touches."""

    @property
    def heartbeat(self) -> Path:
        return Path(self.environment["HEARTBEAT_FILE"])

    def launch(self) -> None:
        self.heartbeat.unlink(missing_ok=True)
        super().launch()

    def is_ready(self) -> bool:
        return self.heartbeat.exists()


class Processes:
    """
    Two webs, two workers, beat and the emulator, as plain processes: docker-compose.yml says how.

    Without ``services`` they meet on the servers that DATABASE_URL and REDIS_URL name, in
    databases of their own.
    """

    def __init__(
        self, folder: Path, services: dict[str, str] | None = None, **environment: str
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        port, self.facts = free_port(), {}
        self.environment = {
            **bare_environment(),
            **SECRETS,
            "ENV": "TEST",
            "VAR_DIR": str(folder / "var"),
            "BCRYPT_ROUNDS": "4",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            **(services or lease_services()),
            **environment,
        }
        self.emulator = self._process(
            Emulator, "emulator", [*EMULATOR, "--port", str(port)], port=port
        )
        self.webs = [self._web(number) for number in (1, 2)]
        self.workers = [
            self._beating("worker", f"worker-{number}", "--hostname", f"worker-{number}@%h")
            for number in (1, 2)
        ]
        self.beat = self.new_beat("beat")

    def new_beat(self, name: str) -> HeartbeatProcess:
        return self._beating("beat", name)

    def _web(self, number: int) -> Web:
        own = {"API_HOST": "127.0.0.1", "API_PORT": str(free_port())}
        return self._of_compose(Web, "web", f"web-{number}", environment=own, facts=self.facts)

    def _beating(self, service: str, name: str, *more: str) -> HeartbeatProcess:
        own = {"HEARTBEAT_FILE": str(self.folder / f"{name}.heartbeat")}
        return self._of_compose(HeartbeatProcess, service, name, *more, environment=own)

    def _of_compose(self, kind: type, service: str, name: str, *more: str, **options: Any) -> Any:
        environment = _environment_of(service) | self.environment | options.pop("environment")
        command = [*COMPOSE[service]["command"], *more]
        return self._process(kind, name, command, environment=environment, **options)

    def _process(self, kind: type, name: str, command: list[str], **options: Any) -> Any:
        options = {"environment": self.environment, "folder": self.folder, **options}
        return kind(name, _found(command), **options)

    @cached_property
    def all(self) -> list[Process]:
        return [self.emulator, *self.webs, *self.workers, self.beat]

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.run(*COMPOSE["migrate"]["command"])
        for process in self.all:
            process.launch()
        for process in self.all:
            process.wait_until_ready()
        self.facts |= self.emulator.control("").json() | {"aws_endpoint_url": self.emulator.url}

    def run(self, *command: str) -> str:
        """Run something to its end, in the environment of all, and return what it said."""
        return subprocess.run(
            _found(command),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def __exit__(self, *_: object) -> None:
        alive = [process for process in self.all if process.is_running]
        for process in alive:
            process.resume()
            process.process.send_signal(signal.SIGTERM)
        for process in alive:
            try:
                process.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        release_services(self.environment)


def _found(command: Sequence[str]) -> list[str]:
    """Name the programs of our own environment, where compose takes its image's."""
    program, *arguments = command
    own = sys.executable if program == "python" else str(Path(sys.executable).parent / program)
    return [own, *arguments]


def _environment_of(service: str) -> dict[str, str]:
    """Return what compose sets for a service: as written, or by its default, if it has one."""
    written = COMPOSE[service]["environment"].items()
    found = {name: OPTIONAL.sub(r"\1", str(value)) for name, value in written}
    return {name: value for name, value in found.items() if "${" not in value}
