"""A time budget for calls to AWS, on the monotonic clock."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from spot_optimizer.errors import AwsTimeout


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time after which no further call to AWS is started."""

    ends_at: float  # [s] of time.monotonic()

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the remaining time, never below 0. [s]"""
        return max(0.0, self.ends_at - time.monotonic())

    def check(self) -> None:
        """:raises AwsTimeout: no time remains"""
        if not self.remaining():
            raise AwsTimeout("AWS took too long, so this was stopped. Try again in a minute.")


# The deadline of the current call: the client checks it before each retry as well.
deadline_in_force: ContextVar[Deadline | None] = ContextVar("deadline_in_force", default=None)
