"""Error responses for requests that no DRF view handles."""

from collections.abc import Awaitable, Callable
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

from spot_optimizer.api.exceptions import allowed_methods_message
from spot_optimizer.api.parsers import TooLarge


def only_get(view: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> Callable:
    """Answer methods other than GET and HEAD with a 405 in the common error format."""

    @wraps(view)
    async def wrapper(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return await view(request)
        response = _error(405, "method_not_allowed", allowed_methods_message(["GET"]))
        response.headers["Allow"] = "GET, HEAD"
        return response

    return wrapper


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer what Django rejects before any view: a wrong host, too many fields, and the like."""
    if isinstance(exception, RequestDataTooBig):
        return _error(413, TooLarge.default_code, TooLarge.default_detail)
    message = "This request cannot be read. Check its URL, headers and body."
    return _error(400, "malformed", message)


def forbidden(request: HttpRequest, exception: Exception) -> JsonResponse:
    message = "Your role does not allow this. Ask an administrator for another role."
    return _error(403, "role_required", message)


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    message = "This form has expired. Reload the page and submit it again."
    return _error(403, "csrf_failed", message)


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return _error(404, "not_found", "No such URL. See /docs.")


def server_error(request: HttpRequest) -> JsonResponse:
    return _error(500, "error", "An internal error occurred and was logged. Try again later.")


def _error(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail, "code": code}, status=status)
