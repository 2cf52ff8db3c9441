"""What each log record says, and how loud the log is: a refusal is no error of ours."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pythonjsonlogger.json import JsonFormatter

REFUSALS = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}

Facts = Mapping[str, Any]
FACTS = ("request_id", "session_id", "task_id")
# What a record may say of itself: an `extra` beside these may hold a whole request.
EXTRAS = ("method", "route", "status", "ms", "user_id")

_facts: ContextVar[Facts] = ContextVar("facts", default={})  # noqa: B039  # never changed in place


def enter(**facts: Any) -> Token[Facts]:
    """Let the records from here on say these facts as well; ``request`` tells the session."""
    return _facts.set({**_facts.get(), **facts})


def leave(token: Token[Facts]) -> None:
    _facts.reset(token)


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Let all records within say these facts as well."""
    token = enter(**facts)
    try:
        yield
    finally:
        leave(token)


def fact(name: str) -> str | None:
    """Return what is known here under this name of `FACTS`."""
    known = _facts.get()
    if name == "session_id" and name not in known:
        match = getattr(known.get("request"), "resolver_match", None)
        known = match.kwargs if match else {}
    value = known.get(name)
    return None if value is None else str(value)


class SayFacts(logging.Filter):
    """Put onto a record whom it is about: request, session and task, as far as that is known."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = [(name, value) for name in FACTS if (value := fact(name))]
        # Django's own word on a refusal comes when all middleware is done, with its request.
        answered = getattr(getattr(record, "request", None), "request_id", None)
        if answered and not known:
            known = [("request_id", answered)]
        for name, value in known:
            setattr(record, name, value)
        told = " ".join(f"{name}={value}" for name, value in known)
        record.facts = f" [{told}]" if told else ""
        return True


class JsonLines(JsonFormatter):
    """One JSON object a line, of the fields named here and no others."""

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
        for name in (*FACTS, *EXTRAS):
            if (value := getattr(record, name, None)) is not None:
                log_data[name] = value
        for name in ("exc_info", "stack_info"):
            if message_dict.get(name):
                log_data[name] = message_dict[name]


class ToneDown(logging.Filter):
    """Make warnings of one line of refusals; an exception that nobody expected stays an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_host = record.name == "django.security.DisallowedHost"
        is_refused = getattr(record, "status_code", None) in REFUSALS and not record.exc_info
        if is_host or is_refused:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True
