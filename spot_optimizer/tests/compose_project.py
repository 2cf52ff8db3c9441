"""The processes of docker-compose.yml, run as plain ones on this machine's PostgreSQL and Redis."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml
from cryptography.fernet import Fernet

from spot_optimizer.settings import BASE_DIR
from spot_optimizer.tests.quickstart import START_WITHIN, free_port, until
from spot_optimizer.tests.services import lease_services, release_services

FILE = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(:-(?P<default>[^}]*)|:\?[^}]*)?\}")


class ComposeProject:
    """A compose project: a database and a Redis of its own, and whatever of it is started."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.started = folder, []
        self.values = {
            "SECRET_KEY": "composed-secret-key-0123456789-ABCDEFGHIJKLMNOPQRS",
            "JWT_SECRET_KEY": "composed-jwt-secret-9876543210-abcdefghijklmnopqrs",
            "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        }
        self.environment = {
            **lease_services(),
            "VAR_DIR": str(folder / "var"),
            "API_HOST": "127.0.0.1",
            **environment,
        }

    def __enter__(self) -> "ComposeProject":
        return self

    def __exit__(self, *_: object) -> None:
        for service in self.started:
            service.kill()
        release_services(self.environment)

    def start(self, name, *, number=1, **environment):
        service = Service(self, name, number, environment)
        self.started.append(service)
        return service


class Service:
    """One container of a service, without the container."""

    def __init__(self, project, name, number, environment) -> None:
        self.definition = FILE["services"][name]
        self.port = free_port()
        # What differs between containers, and would be one and the same here.
        self.own = {
            "8000": str(self.port),
            "/tmp/heartbeat": str(project.folder / f"{name}-{number}.heartbeat"),  # noqa: S108
        }
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            **{key: self._filled(value, project.values) for key, value in self._environment()},
            **project.environment,
            **environment,
        }
        self.log = project.folder / f"{name}-{number}.log"
        command = [self._filled(word, {}) for word in self.definition["command"]]
        if name == "worker":
            command.append(f"--hostname={name}-{number}@%h")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=BASE_DIR, env=self.environment, stdout=log, stderr=log
            )

    def _environment(self):
        return self.definition["environment"].items()

    def _filled(self, text, values):
        for common, own in self.own.items():
            text = str(text).replace(common, own)
        return VARIABLE.sub(lambda found: values.get(found["name"], found["default"] or ""), text)

    @property
    def output(self):
        return self.log.read_text()

    def is_healthy(self):
        """Ask its health check, as the container engine does."""
        command = [self._filled(word, {}) for word in self.definition["healthcheck"]["test"][1:]]
        done = subprocess.run(command, cwd=BASE_DIR, env=self.environment, capture_output=True)
        return done.returncode == 0

    def until_healthy(self):
        until(self.is_healthy, seconds=2 * START_WITHIN, what=f"a healthy {self.log.stem}")
        return self

    def stop(self):
        """Stop it as the engine does: SIGTERM, and SIGKILL after the grace period."""
        self.process.send_signal(signal.SIGTERM)
        grace = int(self.definition["stop_grace_period"].removesuffix("s"))
        return self.process.wait(timeout=grace)

    def kill(self):
        self.process.kill()
        self.process.wait()
