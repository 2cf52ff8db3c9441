"""Runs a synchronous request in one thread, from its first middleware to its last."""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve, set_script_prefix

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# As many as database connections, so that no thread waits for one.
THREADS = max(8, settings.DB_POOL_SIZE + settings.DB_POOL_OVERFLOW)
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")


class SyncHandler(BaseHandler):
    """Django's synchronous handler; it reuses the URL match that `Handler` has resolved."""

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """:raises Resolver404: no URL pattern matches"""
        match: ResolverMatch | None = request.scope["match"]  # type: ignore[attr-defined]
        if match is None:
            return super().resolve_request(request)
        request.resolver_match = match
        return match


class Handler(ASGIHandler):
    """
    Django's ASGI handler, but a synchronous request changes threads only once.

    Django changes threads for each synchronous middleware, each signal and the view, and starts a
    new thread for each request; this halves the CPU time of a request (docs/decisions). Async views
    are left to Django, and use no thread while they wait.

    Undocumented parts of Django it depends on, all exercised by tests/test_handler.py:
    ``read_body``, ``create_request``, ``send_response``, ``get_script_prefix``,
    ``BaseHandler.resolve_request``, ``response._handler_class``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sync_handler = SyncHandler()
        self._sync_handler.load_middleware()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _match(scope) if scope["type"] == "http" else None
        if scope["type"] != "http" or (match and iscoroutinefunction(match.func)):
            await super().__call__(scope, receive, send)
            return
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        response = await _run_in_thread(self._answer)({**scope, "match": match}, body)
        await self.send_response(response, send)
        if response.streaming:
            await _run_in_thread(response.close)()

    def _answer(self, scope: Scope, body: IO[bytes]) -> Any:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self._sync_handler.get_response(request) if request else refusal
        response._handler_class = type(self)
        if response.streaming:
            connections.close_all()  # its iterator queries the database in other threads
        else:
            response.close()
        body.close()
        return response


def _run_in_thread(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    return sync_to_async(function, thread_sensitive=False, executor=_threads)


def _match(scope: Scope) -> ResolverMatch | None:
    try:
        return resolve(scope["path"].removeprefix(get_script_prefix(scope)))
    except Resolver404:
        return None
