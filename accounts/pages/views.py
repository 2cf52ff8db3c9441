"""Sign-in, registration and sign-out in a browser."""

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import services, sign_in_links
from accounts.models import User
from accounts.pages.forms import RegisterForm, SignInForm
from accounts.throttles import enforce, login_wait, register_wait
from spot_optimizer.dashboard.forms import ApiForm, form_page
from spot_optimizer.dashboard.pages import public_page


@public_page
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next_url(request))
    if request.method != "POST":
        return _form_page(request, "sign_in", SignInForm())
    form = SignInForm(request.POST)
    email = request.POST.get("email") or None
    user = form.submit(services.get_by_password, before=lambda: enforce(login_wait(request, email)))
    return _signed_in(request, user) if user else _form_page(request, "sign_in", form)


@public_page
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next_url(request))
    if request.method != "POST":
        return _form_page(request, "register", RegisterForm())
    form = RegisterForm(request.POST)
    user = form.submit(services.register, before=lambda: enforce(register_wait(request)))
    return _signed_in(request, user) if user else _form_page(request, "register", form)


@public_page
@require_GET  # not HEAD: a link preview would use up the link
def sign_in_by_link(request: HttpRequest) -> HttpResponse:
    try:
        user = sign_in_links.redeem(request.GET.get("token", ""), now=timezone.now())
    except sign_in_links.LinkUsed:
        if request.user.is_authenticated:  # the link was clicked twice
            return redirect(_next_url(request))
        raise
    return _signed_in(request, user)


@public_page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("sign-in")


def _form_page(request: HttpRequest, name: str, form: ApiForm) -> HttpResponse:
    return form_page(request, f"dashboard/{name}.html", form, next=request.GET.urlencode())


def _signed_in(request: HttpRequest, user: User) -> HttpResponse:
    auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect(_next_url(request))


def _next_url(request: HttpRequest) -> str:
    """Return ``?next=`` if it is on this host, otherwise the home page."""
    url = request.GET.get("next", "")
    is_local = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_local else resolve_url(settings.LOGIN_REDIRECT_URL)
