"""Signing in, registering and signing out in a browser."""

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from rest_framework.exceptions import APIException

from accounts import services
from accounts import sign_in_links as links
from accounts.api.serializers import LoginIn, RegisterIn
from accounts.models import User
from accounts.throttles import login_wait, register_wait
from spot_optimizer.api.parsers import validated
from spot_optimizer.dashboard.forms import Field, Refusal, body_of, form_page, told_of
from spot_optimizer.dashboard.pages import public_page
from spot_optimizer.errors import DomainError, LimitExceeded

EMAIL = Field("email", "E-mail", "email", is_required=True, autocomplete="username")
PASSWORD = Field(
    "password", "Password", "password",
    is_required=True, is_secret=True, autocomplete="current-password",
)  # fmt: skip
SIGN_IN = (EMAIL, PASSWORD)
REGISTER = (
    EMAIL,
    Field(
        "username", "User name", is_required=True, autocomplete="nickname",
        help="Letters, digits and . _ @ + -",
    ),
    Field("full_name", "Full name (optional)", autocomplete="name"),
    Field(
        "password", "Password", "password",
        is_required=True, is_secret=True, autocomplete="new-password",
        help="At least 8 characters, and none that everybody uses.",
    ),
)  # fmt: skip


@public_page
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    if request.method != "POST":
        return _form(request, "sign_in", SIGN_IN)
    body = body_of(SIGN_IN, request.POST)
    try:
        _slow(login_wait(request, body.get("email")))
        user = services.get_by_password(**validated(LoginIn, body))
    except (DomainError, APIException) as refusal:
        return _form(request, "sign_in", SIGN_IN, refusal)
    return _signed_in(request, user)


@public_page
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    if request.method != "POST":
        return _form(request, "register", REGISTER)
    try:
        _slow(register_wait(request))
        user = services.register(**validated(RegisterIn, body_of(REGISTER, request.POST)))
    except (DomainError, APIException) as refusal:
        return _form(request, "register", REGISTER, refusal)
    return _signed_in(request, user)


@public_page
@require_GET
def sign_in_by_link(request: HttpRequest) -> HttpResponse:
    # By GET alone: a HEAD, as programs look at links, would spend it.
    try:
        user = links.spend(request.GET.get("token", ""), now=timezone.now())
    except links.LinkUsed:
        if request.user.is_authenticated:  # it was clicked twice
            return redirect(_next(request))
        raise
    return _signed_in(request, user)


@public_page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("sign-in")


def _form(
    request: HttpRequest, name: str, fields: tuple[Field, ...], refusal: Refusal | None = None
) -> HttpResponse:
    told = told_of(refusal) if refusal else None
    errors = told.errors if told else {}
    context = {
        "fields": [field.shown(request.POST, errors.get(field.name, [])) for field in fields],
        "next": request.GET.urlencode(),
    }
    return form_page(request, f"dashboard/{name}.html", context, told)


def _slow(wait: int) -> None:
    if wait:
        raise LimitExceeded(f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)


def _signed_in(request: HttpRequest, user: User) -> HttpResponse:
    auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect(_next(request))


def _next(request: HttpRequest) -> str:
    """Return where they wanted to go, if that is here."""
    wanted = request.GET.get("next", "")
    is_here = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_here else resolve_url(settings.LOGIN_REDIRECT_URL)
