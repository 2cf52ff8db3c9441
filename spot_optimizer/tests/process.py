"""One program that may die: started, stopped, killed, frozen and started again."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from spot_optimizer.tests.quickstart import ROOT, START_WITHIN, until

STOP_WITHIN = 30  # [s]


class Process:
    """A program in a session of its own, with its children. All it ever says is in its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        user: str | None = None,
    ) -> None:
        self.name, self.command, self.user = name, list(command), user
        self.environment = dict(environment)
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._length_at_start = 0

    def start(self) -> Self:
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        self._length_at_start = len(self.output)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        until(self._has_come_up, seconds=START_WITHIN, what=f"{self.name} ({self.log})")

    def _has_come_up(self) -> bool:
        assert self.is_running, f"{self.name} ended:\n{self.output_since_start}"
        return self.is_ready()

    def is_ready(self) -> bool:
        return True

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, wait until it has, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=STOP_WITHIN)

    def kill(self) -> None:
        """SIGKILL to it and its children, as the kernel does when memory is short."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def suspend(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def output_since_start(self) -> str:
        return self.output[self._length_at_start :]
