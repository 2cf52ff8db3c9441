"""Serializes a line as JSON, the same for WebSockets and the HTTP log."""

import json
from datetime import UTC, datetime
from typing import Any

from streaming.models import Line


def frame_of(line: Line) -> dict[str, Any]:
    """Return the frame of a stored line, as the API defines it."""
    return {
        "type": line.type,
        "timestamp": instant(line.at),
        "seq": line.seq,
        **line.body,
    }


def encode(frame: dict[str, Any]) -> str:
    """Return the frame as JSON on one line."""
    return json.dumps(frame, separators=(",", ":"), allow_nan=False)


def instant(at: datetime) -> str:
    """Return an aware instant as ISO 8601 in UTC with ``Z``."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
