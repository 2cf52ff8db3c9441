"""Injected faults: denied actions, errors, delays, garbage responses."""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from spot_optimizer.emulator.services.wire import AwsError, Call

# The status and the code of a denial, where they differ from the ones most services use.
DENIALS = {
    "ec2": ("UnauthorizedOperation", 403),
    "pricing": ("AccessDeniedException", 400),
}


@dataclass(slots=True)
class Fault:
    """One fault of the calls that ``action`` matches; it applies to the next ``times`` calls."""

    kind: str
    action: str
    times: int
    details: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The active faults; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._denied: tuple[str, ...] = ()
        self._faults: list[Fault] = []
        self._cleared = threading.Event()

    def deny(self, actions: list[str]) -> None:
        """Replace the denied actions. ``*`` matches any text."""
        self._denied = tuple(actions)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._denied = ()
            self._faults = []
            self._cleared.set()  # ends the current delays
            self._cleared = threading.Event()

    def delay(self, call: Call) -> None:
        """Wait for the delay of this call, or until all faults are cleared."""
        cleared = self._cleared
        if fault := self.consume("delay", call):
            cleared.wait(fault.details["seconds"])

    def consume(self, kind: str, call: Call) -> Fault | None:
        """Return the oldest fault of this kind for this call and count it down, or None."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and _matches(fault.action, call):
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault
        return None

    def check_permission(self, call: Call) -> None:
        """:raises AwsError: the call is denied; the code depends on the service"""
        if any(_matches(action, call) for action in self._denied):
            code, status = DENIALS.get(call.service, ("AccessDenied", 403))
            raise AwsError(
                code,
                f"You are not authorized to perform this operation. User: {call.caller.arn} is not "
                f"authorized to perform: {call.name} because no identity-based policy allows "
                f"the {call.name} action",
                status,
            )


def _matches(action: str, call: Call) -> bool:
    name = call.name if ":" in action else call.action
    return fnmatchcase(name.lower(), action.lower())
