"""Prometheus metrics of the calls to AWS, by action and error code."""

import re
import time
from typing import Any

from spot_optimizer.observability import metrics

MAX_CODES = 64  # label values; AWS defines some hundred codes, of which a few occur
CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_codes: set[str] = set()


def count_calls(client: Any) -> None:
    """Count and time each call of this client from now on."""
    events = client.meta.events
    events.register("before-call", _on_start)
    events.register("after-call", _on_response)
    events.register("after-call-error", _on_error)


def _on_start(context: dict[str, Any], **_: object) -> None:
    context["started"] = time.perf_counter()


def _on_response(
    http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object
) -> None:
    is_ok = http_response.status_code < 300
    code = "ok" if is_ok else str(parsed.get("Error", {}).get("Code"))
    _count(model.name, code, context)


def _on_error(event_name: str, exception: Exception, context: dict[str, Any], **_: object) -> None:
    _count(event_name.rpartition(".")[2], type(exception).__name__, context)


def _count(action: str, code: str, context: dict[str, Any]) -> None:
    seconds = time.perf_counter() - context["started"]
    metrics.aws_calls.labels(action=action, code=_bounded(code)).inc()
    metrics.aws_call_seconds.labels(action=action).observe(seconds)


def _bounded(code: str) -> str:
    """Return the code, or "other" if it is malformed or there are too many different ones."""
    if code not in _codes:
        if len(_codes) >= MAX_CODES or not CODE.fullmatch(code):
            return "other"
        _codes.add(code)
    return code
