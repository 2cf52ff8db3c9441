"""Runs the local AWS emulator as a child process."""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.management.base import CommandError


class LocalAws:
    """The emulator, within a ``with`` block; it exits with this process. Port 0: any free one."""

    def __init__(self, *, port: int, eventbridge_url: str) -> None:
        self.port = port
        self.eventbridge_url = eventbridge_url
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "spot_optimizer.emulator", "--port", str(self.port)]
        command += ["--parent-watch", "--eventbridge-url", self.eventbridge_url]
        self.process = subprocess.Popen(  # noqa: S603  # a fixed command, no user input
            command,
            cwd=settings.BASE_DIR,
            # Not as an argument: other users can read a process's command line.
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
            raise CommandError("The local AWS did not start; its error is shown above.") from None
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
