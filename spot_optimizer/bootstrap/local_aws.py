"""Runs the local AWS as a child process, as a development machine without an account needs it."""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.management.base import CommandError


class LocalAws:
    """The emulator, while the context is open. It ends with us, however we end; port 0: any."""

    def __init__(self, *, port: int, eventbridge_url: str) -> None:
        self.port = port
        self.eventbridge_url = eventbridge_url
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "spot_optimizer.emulator", "--port", str(self.port)]
        command += ["--parent-watch", "--eventbridge-url", self.eventbridge_url]
        self.process = subprocess.Popen(  # noqa: S603  # our own command, no input of anybody
            command,
            cwd=settings.BASE_DIR,
            # By environment: what stands in a command line is for everybody to read.
            env={**os.environ, "EVENTBRIDGE_SECRET": settings.EVENTBRIDGE_SECRET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        first_line = self.process.stdout.readline() if self.process.stdout else ""
        try:
            self.facts = json.loads(first_line)
        except ValueError:
            self.process.wait()
            raise CommandError("The local AWS did not start; what it said stands above.") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
