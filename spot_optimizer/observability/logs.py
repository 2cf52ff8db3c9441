"""Formats log records, adds the request, session and task ids, and downgrades expected errors."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pythonjsonlogger.json import JsonFormatter

REFUSALS = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}

Context = Mapping[str, Any]
CONTEXT_FIELDS = ("request_id", "session_id", "task_id")
# The only other fields that are logged: any other `extra` could contain a whole request.
EXTRA_FIELDS = ("method", "route", "status", "ms", "user_id")

_context: ContextVar[Context] = ContextVar("log_context", default={})  # noqa: B039  # never mutated


def bind(**fields: Any) -> Token[Context]:
    """Add fields to all following records; a bound ``request`` supplies the session id."""
    return _context.set({**_context.get(), **fields})


def reset(token: Token[Context]) -> None:
    _context.reset(token)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add fields to all records within the ``with`` block."""
    token = bind(**fields)
    try:
        yield
    finally:
        reset(token)


def get(name: str) -> str | None:
    """Return the current value of one of `CONTEXT_FIELDS`."""
    context = _context.get()
    if name == "session_id" and name not in context:
        match = getattr(context.get("request"), "resolver_match", None)
        context = match.kwargs if match else {}
    value = context.get(name)
    return None if value is None else str(value)


class ContextFilter(logging.Filter):
    """Adds the ids of the current request, session and task to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = [(name, value) for name in CONTEXT_FIELDS if (value := get(name))]
        # Django logs error responses after all middleware has ended, and attaches the request.
        request_id = getattr(getattr(record, "request", None), "request_id", None)
        if request_id and not fields:
            fields = [("request_id", request_id)]
        for name, value in fields:
            setattr(record, name, value)
        text = " ".join(f"{name}={value}" for name, value in fields)
        record.context = f" [{text}]" if text else ""
        return True


class JsonLines(JsonFormatter):
    """Formats a record as one JSON object on one line, with a fixed set of fields."""

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        log_data["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.getMessage()
        for name in (*CONTEXT_FIELDS, *EXTRA_FIELDS):
            if (value := getattr(record, name, None)) is not None:
                log_data[name] = value
        for name in ("exc_info", "stack_info"):
            if message_dict.get(name):
                log_data[name] = message_dict[name]


class DowngradeRefusals(logging.Filter):
    """Logs deliberate 5xx responses and disallowed hosts as one-line warnings, not as errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_disallowed_host = record.name == "django.security.DisallowedHost"
        is_refusal = getattr(record, "status_code", None) in REFUSALS and not record.exc_info
        if is_disallowed_host or is_refusal:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True
