"""The home page and the page for a new session."""

import json
from functools import partial
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from sandbox.api.serializers import SessionIn
from sandbox.pages.session_form import SessionForm, demo_values, policies
from sandbox.pages.summaries import summaries_for
from sandbox.queries import sessions_of
from sandbox.services import open_session
from spot_optimizer.api.parsers import validated
from spot_optimizer.bootstrap.quickstart import Demo, demo
from spot_optimizer.dashboard.forms import form_page
from spot_optimizer.dashboard.pages import login_required_page
from spot_optimizer.errors import Missing


@login_required_page
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    active, recent = summaries_for(_user(request), now=timezone.now())
    context = {"active": active, "recent": recent, "has_demo": demo() is not None}
    return render(request, "dashboard/home.html", context)


@login_required_page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def new_session(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form_page(request, SessionForm(initial=_initial(request)))
    form = SessionForm(request.POST)
    session = form.submit(partial(open_session, user=_user(request), now=timezone.now()))
    return redirect("session", session.pk) if session else _form_page(request, form)


@login_required_page
@require_POST
def demo_session(request: HttpRequest) -> HttpResponse:
    account = demo()
    if account is None:
        raise Missing("There is no demo account here. Open a session with keys of your own.")
    user = _user(request)
    fields = validated(SessionIn, demo_values(_unused_instance(account, user), account))
    session = open_session(user=user, **fields, now=timezone.now())
    return redirect("session", session.pk)


def _form_page(request: HttpRequest, form: SessionForm) -> HttpResponse:
    texts = {mode: json.dumps(policy, indent=2) for mode, policy in policies().items()}
    return form_page(
        request,
        "dashboard/new_session.html",
        form,
        policies=texts,
        has_demo=demo() is not None,
    )


def _initial(request: HttpRequest) -> dict[str, str]:
    account = demo() if "demo" in request.GET else None
    if account is None:
        return {}
    return demo_values(_unused_instance(account, _user(request)), account)


def _unused_instance(account: Demo, user: User) -> dict[str, str]:
    """Return a demo instance without an active session of the user, if there is one."""
    active = sessions_of(user).active(at=timezone.now())
    used = set(active.values_list("instance_id", flat=True))
    unused = [each for each in account.instances if each["instance_id"] not in used]
    return (unused or account.instances)[0]


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
