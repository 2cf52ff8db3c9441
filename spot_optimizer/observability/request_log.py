"""Middleware that gives each request an id, counts it, and logs it."""

import logging
import re
import time
from typing import Any, Self
from uuid import uuid4

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import LazyObject

from spot_optimizer.observability import logs, metrics

logger = logging.getLogger("spot_optimizer.access")  # operators filter by this name

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")  # accepted from a proxy; others are replaced
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
CLIENT_CLOSED_REQUEST = 499  # nginx's code: the client disconnected before the response


@sync_and_async_middleware
def request_log_middleware(get_response: Any) -> Any:
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponseBase:
            with RequestLog(request) as log:
                log.response = await get_response(request)
                return log.response

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with RequestLog(request) as log:
            log.response = get_response(request)
            return log.response

    return middleware


class RequestLog:
    """One request, from the first middleware to the response's headers."""

    response: HttpResponseBase | None = None

    def __init__(self, request: HttpRequest) -> None:
        sent = request.headers.get("X-Request-ID", "")
        self.request_id = sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
        request.request_id = self.request_id  # type: ignore[attr-defined]  # for `logs`
        self.request = request

    def __enter__(self) -> Self:
        self.started_at = time.perf_counter()
        self.token = logs.bind(request_id=self.request_id, request=self.request)
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.started_at
        status = CLIENT_CLOSED_REQUEST if self.response is None else self.response.status_code
        if self.response is not None:
            self.response.headers["X-Request-ID"] = self.request_id
        self._record(seconds, status)
        logs.reset(self.token)

    def _record(self, seconds: float, status: int) -> None:
        method = self.request.method if self.request.method in METHODS else "other"
        route = route_of(self.request)
        metrics.http_requests.labels(method=method, route=route, status=status).inc()
        metrics.http_request_seconds.labels(route=route).observe(seconds)
        if settings.ACCESS_LOG:
            fields = {"method": method, "route": route, "status": status}
            fields |= {"ms": round(seconds * 1000, 1), "user_id": user_id_of(self.request)}
            line = "%(method)s %(route)s %(status)s %(ms)s ms, user %(user)s"
            logger.info(line, fields | {"user": fields["user_id"] or "-"}, extra=fields)


def route_of(request: HttpRequest) -> str:
    """Return the URL pattern that matched: a label with a bounded number of values."""
    if request.resolver_match is not None:
        return request.resolver_match.route
    is_static = request.path_info.startswith(settings.STATIC_URL)
    return "static" if is_static else "unmatched"


def user_id_of(request: HttpRequest) -> str | None:
    """Return the user's id if the user is already loaded: logging makes no query."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    pk = getattr(user, "pk", None)
    return None if pk is None else str(pk)
