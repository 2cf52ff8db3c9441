"""Counts the calls to AWS, by what was asked and what came of it."""

import re
import time
from typing import Any

from spot_optimizer.observability import metrics

MOST_CODES = 64  # different ones: AWS has some hundred, of which we meet a few
CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_codes: set[str] = set()


def count_calls(client: Any) -> None:
    """Count all that this client asks from now on."""
    events = client.meta.events
    events.register("before-call", _begin)
    events.register("after-call", _answered)
    events.register("after-call-error", _unanswered)


def _begin(context: dict[str, Any], **_: object) -> None:
    context["began"] = time.perf_counter()


def _answered(
    http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object
) -> None:
    is_ok = http_response.status_code < 300
    code = "ok" if is_ok else str(parsed.get("Error", {}).get("Code"))
    _count(model.name, code, context)


def _unanswered(
    event_name: str, exception: Exception, context: dict[str, Any], **_: object
) -> None:
    _count(event_name.rpartition(".")[2], type(exception).__name__, context)


def _count(action: str, code: str, context: dict[str, Any]) -> None:
    metrics.aws_calls.labels(action=action, code=_bounded(code)).inc()
    metrics.aws_call_seconds.labels(action=action).observe(time.perf_counter() - context["began"])


def _bounded(code: str) -> str:
    if code not in _codes:
        if len(_codes) >= MOST_CODES or not CODE.fullmatch(code):
            return "other"
        _codes.add(code)
    return code
