"""What all pages of the dashboard share: who may see them, what browsers may do, how we say no."""

import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from csp.decorators import csp_replace
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache

from spot_optimizer.api import exceptions as api
from spot_optimizer.errors import DomainError, LimitReached, Unavailable

View = Callable[..., HttpResponseBase]

TITLES = {
    HTTPStatus.BAD_REQUEST: "This request cannot be read",
    HTTPStatus.FORBIDDEN: "This is not for you",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side",
    HTTPStatus.SERVICE_UNAVAILABLE: "This does not work right now",
}


def frame(request: HttpRequest) -> dict[str, bool]:
    """Tell the templates whether AWS is an emulator here."""
    return {"is_emulator": bool(settings.AWS_ENDPOINT_URL)}


def open_page(view: View) -> View:
    """Make a view a page for everybody: strict in its content, kept by no cache."""
    strict = csp_replace({"style-src": ["'self'"], "img-src": ["'self'"]})

    @wraps(view)
    def shown(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            answer = view(request, *args, **kwargs)
        except DomainError as refusal:
            return refusal_page(request, refusal)
        is_empty = isinstance(answer, HttpResponseNotAllowed)
        return _not_allowed_page(request, answer.headers["Allow"]) if is_empty else answer

    guarded: View = strict(never_cache(shown))
    return guarded


def page(view: View) -> View:
    """Make a view a page for those who are signed in; the others are led to sign in first."""

    @wraps(view)
    def signed_in(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            return redirect_to_login(request.get_full_path())
        return redirect_to_login(resolve_url(settings.LOGIN_REDIRECT_URL))  # a form is gone

    return open_page(signed_in)


def refusal_page(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    kind = next(kind for kind in api.STATUS if isinstance(refusal, kind))
    answer = error_page(api.STATUS[kind], str(refusal), request)
    if isinstance(refusal, LimitReached | Unavailable):
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def error_page(status: HTTPStatus, detail: str, request: HttpRequest | None = None) -> HttpResponse:
    """Return the page that says no; without ``request`` nothing is asked of the database."""
    title = TITLES.get(status, "This did not work")
    context = {"title": title, "detail": detail, "status": status.value}
    text = render_to_string("dashboard/error.html", context, request)
    return HttpResponse(text, status=status)


def _not_allowed_page(request: HttpRequest, allowed: str) -> HttpResponse:
    sentence = api.use_of([method for method in allowed.split(", ") if method != "HEAD"])
    answer = error_page(HTTPStatus.METHOD_NOT_ALLOWED, sentence, request)
    answer.headers["Allow"] = allowed
    return answer


def wants_page(request: HttpRequest) -> bool:
    """Whether a browser asks for a page, and no program for JSON."""
    if request.path_info.startswith("/api/"):
        return False
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _or_page(handler: Callable[..., JsonResponse], *, is_safe: bool = True, says: str = "") -> View:
    """Show a browser what ``handler`` says to programs; where not safe, without the database."""

    @open_page
    @wraps(handler)
    def answered(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        answer = handler(request, *args, **kwargs)
        if not wants_page(request):
            return answer
        detail = says or json.loads(answer.content)["detail"]
        return error_page(HTTPStatus(answer.status_code), detail, request if is_safe else None)

    return answered


bad_request = _or_page(api.bad_request, is_safe=False)
forbidden = _or_page(api.forbidden)
csrf_failure = _or_page(api.csrf_failure)
page_not_found = _or_page(api.page_not_found, says="Check the address, or begin at your sessions.")
server_error = _or_page(api.server_error, is_safe=False)
