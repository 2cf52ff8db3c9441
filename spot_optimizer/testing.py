"""Shared by the tests of several apps."""

from datetime import UTC, datetime

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
