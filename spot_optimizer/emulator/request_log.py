"""The log of requests and their results, without secrets and bodies."""

import threading
from collections import deque
from datetime import datetime
from typing import Any

from spot_optimizer.emulator.services.wire import Call

MAX_ENTRIES = 10_000


class RequestLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self._last = 0

    def write(self, call: Call, *, status: int, error: str | None, now: datetime) -> None:
        with self._lock:
            self._last += 1
            self._entries.append(
                {
                    "n": self._last,
                    "time": now.isoformat(),
                    "service": call.service,
                    "action": call.action,
                    "region": call.region,
                    "access_key_last4": call.access_key[-4:],
                    "status": status,
                    "error": error,
                    "dry_run": call.dry_run,
                }
            )

    def after(self, n: int) -> list[dict[str, Any]]:
        """Return the requests after number ``n``, oldest first."""
        with self._lock:
            return [entry for entry in self._entries if entry["n"] > n]
