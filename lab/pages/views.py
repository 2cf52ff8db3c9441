"""The dashboard's Lab: the models with their scores, and the user's instances."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.permissions import IsLab
from lab import queries, services
from lab.decisions.pipeline_status import pipeline_status
from lab.experiments.summaries import row_of, summaries_of, trends_of
from lab.models import InstanceConfig, ModelRegistry
from lab.pages.texts import MODES, SWITCHES, change_texts, stages_of
from lab.registry.model_cards import MEASURES, cards_of
from spot_optimizer.dashboard.pages import login_required_page
from spot_optimizer.errors import Conflict, Forbidden, Invalid

Mode = InstanceConfig.PipelineMode
INSTANCES, EXPERIMENTS = 20, 20  # per page
DRAWN = 60  # experiments in the charts
HISTORY = 20


@login_required_page
@require_safe
def lab(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    context = {
        "cards": cards_of(ModelRegistry.objects.all()),
        "measures": MEASURES,
        "changes": queries.stage_changes()[:HISTORY],
        "instances": _paged(request, queries.instances_of(user), INSTANCES),
        "has_local_model": bool(settings.RISK_MODEL_PATH),
        **_rights(user),
    }
    return render(request, "dashboard/lab/home.html", context)


@login_required_page
@require_POST
def move_model(request: HttpRequest, model_id: UUID) -> HttpResponse:
    user = _researcher(request)
    stage = _one_of(ModelRegistry.Stage, request.POST.get("stage", ""))

    def move() -> str:
        model = services.set_stage(model_id=model_id, stage=stage, by=user, now=timezone.now())
        return f"{model} is {stage} now."

    _run_with_message(request, move)
    return redirect("lab")


@login_required_page
@require_safe
def instance(request: HttpRequest, instance_id: str) -> HttpResponse:
    """Show an instance's pipeline, model, configuration and experiments."""
    user = _user(request)
    config = queries.get_own_config(owner=user, instance_id=instance_id)
    experiments = queries.experiments_of(config)
    drawn = list(experiments[:DRAWN])[::-1]
    status = pipeline_status(config)
    context = {
        "config": config,
        "stages": stages_of(status),
        "risk": status["risk"],
        "models": ModelRegistry.objects.exclude(stage=ModelRegistry.Stage.ARCHIVED),
        "switches": [
            {"name": name, "label": label, "is_on": getattr(config, name)}
            for name, label in SWITCHES.items()
        ],
        "mode": MODES[Mode(config.pipeline_mode)],
        "experiments": _paged(request, experiments, EXPERIMENTS, row_of),
        "summaries": summaries_of(drawn),
        "trends": trends_of(drawn),
        "drawn": drawn,
        "newest": drawn[-1] if drawn else None,
        "changes": change_texts(list(queries.changes_of(config)[:HISTORY])),
        **_rights(user),
    }
    return render(request, "dashboard/lab/instance.html", context)


@login_required_page
@require_POST
def assign_model(request: HttpRequest, instance_id: str) -> HttpResponse:
    user = _researcher(request)
    config = queries.get_own_config(owner=user, instance_id=instance_id)
    model = queries.get_model(_uuid(request.POST.get("model_id", "")))

    def assign() -> str:
        services.assign_model(config=config, model=model, by=user, now=timezone.now())
        return f"{model} judges this instance from the next evaluation on."

    _run_with_message(request, assign)
    return redirect("lab-instance", instance_id)


@login_required_page
@require_POST
def change_config(request: HttpRequest, instance_id: str) -> HttpResponse:
    """Set the mode alone, or the mode and every switch: browsers do not send unticked ones."""
    user = _researcher(request)
    config = queries.get_own_config(owner=user, instance_id=instance_id)
    mode = _one_of(Mode, request.POST.get("pipeline_mode", ""))
    fields: dict[str, Any] = {"pipeline_mode": mode}
    if "switches" in request.POST:
        # Sending the current mode again would end the assignment.
        fields = {} if mode == config.pipeline_mode else fields
        fields |= {name: name in request.POST for name in SWITCHES}

    def change() -> str:
        services.change_config(config=config, fields=fields, by=user, now=timezone.now())
        return "Saved. It applies from the next evaluation on."

    _run_with_message(request, change)
    return redirect("lab-instance", instance_id)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _rights(user: User) -> dict[str, Any]:
    may_change = user.role in IsLab.roles
    return {"may_change": may_change, "role": user.get_role_display()}


def _researcher(request: HttpRequest) -> User:
    """:raises Forbidden: the user has read access only"""
    user = _user(request)
    if user.role not in IsLab.roles:
        raise Forbidden(IsLab.message)
    return user


def _run_with_message(request: HttpRequest, action: Callable[[], str]) -> None:
    """Run an action and show its result, or the reason of a conflict, on the next page."""
    try:
        messages.success(request, action())
    except Conflict as refusal:
        messages.error(request, str(refusal))


def _one_of(choices: Any, text: str) -> str:
    if text not in choices.values:
        raise Invalid(f"Choose one of {', '.join(choices.values)}.")
    return text


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("Choose a model from the list.") from None


def _paged(
    request: HttpRequest, rows: Any, size: int, shown: Callable[[Any], Any] | None = None
) -> Page:
    """Return the requested page; an invalid number gives the nearest page."""
    found = Paginator(rows, size).get_page(request.GET.get("page"))
    if shown:
        found.object_list = [shown(row) for row in found.object_list]
    return found
