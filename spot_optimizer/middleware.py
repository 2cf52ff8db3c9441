"""Middleware that also runs async: a sync one would occupy a thread while a request waits."""

import logging
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.middleware.common import CommonMiddleware
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware

from spot_optimizer.api.exceptions import error_body, error_status
from spot_optimizer.errors import Unavailable

logger = logging.getLogger(__name__)


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, whose own middleware is sync only."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        find = self.find_file if self.autorefresh else self.files.get
        static_file = find(request.path_info)
        if static_file is None:
            return self.get_response(request)
        if self.is_async:
            return sync_to_async(self._read, thread_sensitive=False)(static_file, request)
        return self._read(static_file, request)

    def _read(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        """Return the file unstreamed: under ASGI, Django warns about a sync streaming response."""
        streaming = self.serve(static_file, request)
        try:
            content = b"".join(streaming.streaming_content)
        finally:
            streaming.close()
        return HttpResponse(content, status=streaming.status_code, headers=streaming.headers)


class CommonExceptProbes(CommonMiddleware):
    """Django's own, but health checks pass with any ``Host``: load balancers send an address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info in settings.PROBED_PATHS:
            return None
        return super().process_request(request)


class EmulatorHeader:
    """Mark each response when AWS is the local emulator."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._acall(request)
        return _mark_emulator(self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        return _mark_emulator(await self.get_response(request))


class DatabaseUnavailable(MiddlewareMixin):
    """Answer 503 where a view cannot connect to the database."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.warning("database unavailable: %s: %s", type(error).__name__, error)
        unavailable = Unavailable("The database is unavailable. Try again in a moment.")
        return JsonResponse(
            error_body(unavailable),
            status=error_status(unavailable),
            headers={"Retry-After": str(unavailable.retry_after)},
        )


def _mark_emulator(response: HttpResponseBase) -> HttpResponseBase:
    if settings.AWS_ENDPOINT_URL:
        response.headers["X-Spot-Optimizer-AWS"] = "emulator"
    return response
