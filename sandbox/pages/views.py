"""The pages on which sessions are seen and opened."""

import json
from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import APIException

from accounts.models import User
from sandbox.api.serializers import SessionIn
from sandbox.models import SandboxSession
from sandbox.pages import session_form
from sandbox.pages.summaries import summaries_for
from sandbox.queries import sessions_of
from sandbox.services import open_session
from spot_optimizer.api.parsers import validated
from spot_optimizer.bootstrap.quickstart import Demo, demo
from spot_optimizer.dashboard.forms import Refusal, form_page, told_of
from spot_optimizer.dashboard.pages import login_required_page
from spot_optimizer.errors import DomainError, Missing


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
        return _form(request, _values(request))
    try:
        session = _open(session_form.body_of(request.POST), _user(request))
    except (DomainError, APIException) as refusal:
        return _form(request, request.POST, refusal)
    return redirect("session", session.pk)


@login_required_page
@require_POST
def demo_session(request: HttpRequest) -> HttpResponse:
    account = demo()
    if account is None:
        raise Missing("There is no demo here. Open a session with keys of your own.")
    user = _user(request)
    body = session_form.demo_values(_fresh_instance(account, user), account)
    session = _open(body, user)
    return redirect("session", session.pk)


def _open(body: dict[str, Any], user: User) -> SandboxSession:
    fields = validated(SessionIn, body)
    return open_session(user=user, **fields, now=timezone.now())


def _form(
    request: HttpRequest, values: Mapping[str, Any], refusal: Refusal | None = None
) -> HttpResponse:
    told = told_of(refusal) if refusal else None
    errors = told.errors if told else {}
    groups = session_form.shown(values, errors, is_demo=told is None)
    policies = {mode: json.dumps(each, indent=2) for mode, each in session_form.policies().items()}
    context = {
        "groups": groups,
        "fields": [bound for group in groups.values() for bound in group],
        "policies": policies,
        "has_demo": demo() is not None,
    }
    return form_page(request, "dashboard/new_session.html", context, told)


def _values(request: HttpRequest) -> dict[str, str]:
    account = demo() if "demo" in request.GET else None
    if account is None:
        return {}
    return session_form.demo_values(_fresh_instance(account, _user(request)), account)


def _fresh_instance(account: Demo, user: User) -> dict[str, str]:
    """Return a demo instance that the user has no active session for, if there is one."""
    taken = sessions_of(user).active(at=timezone.now()).values_list("instance_id", flat=True)
    used = set(taken)
    fresh = [each for each in account.instances if each["instance_id"] not in used]
    return (fresh or account.instances)[0]


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
