"""What tests of several apps share."""

from datetime import UTC, datetime

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
