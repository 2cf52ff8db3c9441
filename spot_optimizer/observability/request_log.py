"""Gives each request an id, counts it, and writes its line into the access log."""

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

logger = logging.getLogger(__name__)

SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")  # of somebody else's id: it goes into our logs
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
GONE = 499  # who asked has hung up


@sync_and_async_middleware
def observe(get_response: Any) -> Any:
    """Let every request be found again: by its id in the logs, by its route in the metrics."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            with Observed(request) as observed:
                observed.answer = await get_response(request)
                return observed.answer

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        with Observed(request) as observed:
            observed.answer = get_response(request)
            return observed.answer

    return now


class Observed:
    """One request, from its first middleware to the head of its answer."""

    answer: HttpResponseBase | None = None

    def __init__(self, request: HttpRequest) -> None:
        given = request.headers.get("X-Request-ID", "")
        self.request_id = given if SANE.fullmatch(given) else uuid4().hex
        request.request_id = self.request_id  # type: ignore[attr-defined]  # for what comes behind
        self.request = request

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        self.token = logs.enter(request_id=self.request_id, request=self.request)
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.began
        status = GONE if self.answer is None else self.answer.status_code
        if self.answer is not None:
            self.answer.headers["X-Request-ID"] = self.request_id
        self._tell(seconds, status)
        logs.leave(self.token)

    def _tell(self, seconds: float, status: int) -> None:
        method = self.request.method if self.request.method in METHODS else "other"
        route = route_of(self.request)
        metrics.http_requests.labels(method=method, route=route, status=status).inc()
        metrics.http_request_seconds.labels(route=route).observe(seconds)
        if settings.ACCESS_LOG:
            said = {"method": method, "route": route, "status": status}
            said |= {"ms": round(seconds * 1000, 1), "user_id": user_id_of(self.request)}
            line = "%(method)s %(route)s %(status)s %(ms)s ms, user %(user)s"
            logger.info(line, said | {"user": said["user_id"] or "-"}, extra=said)


def route_of(request: HttpRequest) -> str:
    """Return the pattern that a request's address matched: there are as many as we have URLs."""
    if request.resolver_match is not None:
        return request.resolver_match.route
    is_file = request.path_info.startswith(settings.STATIC_URL)
    return "static" if is_file else "unmatched"


def user_id_of(request: HttpRequest) -> str | None:
    """Return who asked, if somebody has looked that up already: this costs no query."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    pk = getattr(user, "pk", None)
    return None if pk is None else str(pk)
