"""What all pages of the dashboard share: access, cache and CSP headers, and error pages."""

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

from spot_optimizer.api import error_views
from spot_optimizer.api.exceptions import allowed_methods_message, error_status
from spot_optimizer.errors import DomainError, LimitExceeded, Unavailable

View = Callable[..., HttpResponseBase]

TITLES = {
    HTTPStatus.BAD_REQUEST: "Bad request",
    HTTPStatus.FORBIDDEN: "Access denied",
    HTTPStatus.NOT_FOUND: "Page not found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Request too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal server error",
    HTTPStatus.SERVICE_UNAVAILABLE: "Service unavailable",
}


def emulator_flag(request: HttpRequest) -> dict[str, bool]:
    """Template context processor: whether AWS is the local emulator."""
    return {"is_emulator": bool(settings.AWS_ENDPOINT_URL)}


def public_page(view: View) -> View:
    """Make a view a page that needs no sign-in: strict CSP, never cached, errors as pages."""
    strict = csp_replace({"style-src": ["'self'"], "img-src": ["'self'"]})

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except DomainError as error:
            return _domain_error_page(request, error)
        if isinstance(response, HttpResponseNotAllowed):
            return _not_allowed_page(request, response.headers["Allow"])
        return response

    page: View = strict(never_cache(wrapper))
    return page


def login_required_page(view: View) -> View:
    """Make a view a page for signed-in users; others are redirected to the sign-in page."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            return redirect_to_login(request.get_full_path())
        # The submitted form is lost, so continue on the home page.
        return redirect_to_login(resolve_url(settings.LOGIN_REDIRECT_URL))

    return public_page(wrapper)


def error_page(status: HTTPStatus, detail: str, request: HttpRequest | None = None) -> HttpResponse:
    """Return an error page; without ``request`` it makes no database query."""
    title = TITLES.get(status, "Request failed")
    context = {"title": title, "detail": detail, "status": status.value}
    text = render_to_string("dashboard/error.html", context, request)
    return HttpResponse(text, status=status)


def wants_html(request: HttpRequest) -> bool:
    """Whether the client is a browser that requests a page, not JSON."""
    if request.path_info.startswith("/api/"):
        return False
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _domain_error_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    response = error_page(error_status(error), str(error), request)
    if isinstance(error, LimitExceeded | Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _not_allowed_page(request: HttpRequest, allowed: str) -> HttpResponse:
    methods = [method for method in allowed.split(", ") if method != "HEAD"]
    detail = allowed_methods_message(methods)
    response = error_page(HTTPStatus.METHOD_NOT_ALLOWED, detail, request)
    response.headers["Allow"] = allowed
    return response


def _html_or_json(
    error_view: Callable[..., JsonResponse], *, queries_allowed: bool = True, html_detail: str = ""
) -> View:
    """Return an error view that answers browsers with a page and other clients with JSON."""

    @public_page
    @wraps(error_view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = error_view(request, *args, **kwargs)
        if not wants_html(request):
            return response
        detail = html_detail or json.loads(response.content)["detail"]
        status = HTTPStatus(response.status_code)
        return error_page(status, detail, request if queries_allowed else None)

    return wrapper


bad_request = _html_or_json(error_views.bad_request, queries_allowed=False)
forbidden = _html_or_json(error_views.forbidden)
csrf_failure = _html_or_json(error_views.csrf_failure)
page_not_found = _html_or_json(
    error_views.page_not_found, html_detail="Check the URL, or go to your sessions."
)
server_error = _html_or_json(error_views.server_error, queries_allowed=False)
