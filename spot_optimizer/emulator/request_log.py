"""The request log: who asked for what, and what he was told. Never a secret, never a body."""

import threading
from collections import deque
from datetime import datetime
from typing import Any

from spot_optimizer.emulator.services.wire import Call

KEPT = 10_000  # requests; older ones are forgotten


class Journal:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
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
        """Return the requests behind number ``n``, oldest first."""
        with self._lock:
            return [entry for entry in self._entries if entry["n"] > n]
