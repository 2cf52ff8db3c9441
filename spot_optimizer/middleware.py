"""
Middleware that may be async: a sync one would hold a thread for as long as a request waits.
"""

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
from django.utils.decorators import sync_and_async_middleware
from whitenoise.middleware import WhiteNoiseMiddleware

from spot_optimizer.api.exceptions import body_of, status_of
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
            return sync_to_async(self._whole, thread_sensitive=False)(static_file, request)
        return self._whole(static_file, request)

    def _whole(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        """Read the file: under ASGI Django would collect a file's pieces, and warn of it."""
        streaming = self.serve(static_file, request)
        try:
            content = b"".join(streaming.streaming_content)
        finally:
            streaming.close()
        return HttpResponse(content, status=streaming.status_code, headers=streaming.headers)


class Common(CommonMiddleware):
    """Django's own, but probes are answered under any name: they may only know an address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info in settings.PROBED_PATHS:
            return None
        return super().process_request(request)


@sync_and_async_middleware
def say_emulator(get_response: Any) -> Any:
    """Tell in every answer that AWS is an emulator here, so that nobody takes it for the real."""

    def say(answer: HttpResponseBase) -> HttpResponseBase:
        if settings.AWS_ENDPOINT_URL:
            answer.headers["X-Spot-Optimizer-AWS"] = "emulator"
        return answer

    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            return say(await get_response(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        return say(get_response(request))

    return now


class DatabaseAway:
    """Answers 503 where a view cannot reach the database; who asks again soon finds it back."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.warning("the database is away: %s: %s", type(error).__name__, error)
        away = Unavailable("The database is away. Try again in a moment.")
        headers = {"Retry-After": str(away.retry_after)}
        return JsonResponse(body_of(away), status=status_of(away), headers=headers)
