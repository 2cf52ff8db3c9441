"""The page of one session. Its script updates it as lines arrive."""

import json
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from sandbox.api.serializers import STREAM_PATH
from sandbox.models import Evaluation, SandboxSession
from sandbox.pages.summaries import SessionSummary
from sandbox.pages.texts import CHECKS, DECISIONS, FAILURES, REJECTIONS, SIGNALS, STAGES
from sandbox.queries import actions_of, evaluations_of, get_evaluation, get_session
from spot_optimizer.aws.client.errors import CREDENTIAL_ERRORS
from spot_optimizer.aws.iam_policy import iam_policy
from spot_optimizer.aws.products import PRODUCTS
from spot_optimizer.dashboard.formats import decision_tone
from spot_optimizer.dashboard.pages import login_required_page
from spot_optimizer.errors import Missing
from streaming.queries import last_seq_of

MAX_EVALUATIONS = 30
MAX_ACTIONS = 50


class Stage(NamedTuple):
    name: str
    title: str
    description: str
    status: str  # done, disabled, running, waiting or stopped
    entered: int | None = None
    left: int | None = None
    note: str = ""


@login_required_page
@require_safe
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Show a session and an evaluation of it: ``?evaluation=``, or the newest that is settled."""
    session = get_session(user=cast(User, request.user), session_id=session_id)
    # Read first, so that the stream repeats lines published while the other rows are read.
    last_seq = last_seq_of(session.pk)
    evaluations = list(evaluations_of(session)[:MAX_EVALUATIONS])
    pending = next((each for each in evaluations if _is_pending(each)), None)
    newest = next((each for each in evaluations if not _is_pending(each)), None)
    chosen = _chosen(request, session)
    shown = chosen or newest
    context = {
        "session": session,
        "summary": SessionSummary(session, session.is_active(at=timezone.now()), shown),
        "checks": _checks(session),
        "policy": json.dumps(_policy(session), indent=2),
        "evaluations": evaluations,
        "evaluation": shown,
        "chosen": chosen,
        "newer": newest if chosen and newest != chosen else None,
        "is_running": pending is not None,
        "stages": _stages(pending if pending and not chosen else shown),
        "actions": actions_of(session)[:MAX_ACTIONS],
        "script_data": _script_data(session, last_seq),
        **_result(shown),
    }
    return render(request, "dashboard/session.html", context)


def _is_pending(evaluation: Evaluation) -> bool:
    return evaluation.state == Evaluation.State.PENDING


def _chosen(request: HttpRequest, session: SandboxSession) -> Evaluation | None:
    """:raises Missing: the session has no such evaluation"""
    text = request.GET.get("evaluation")
    if text is None:
        return None
    try:
        evaluation_id = UUID(text)
    except ValueError:
        raise Missing("This session has no evaluation with this id.") from None
    return get_evaluation(session=session, evaluation_id=evaluation_id)


def _checks(session: SandboxSession) -> list[dict[str, str]]:
    """Return the preflight's checks, pending ones included, each with advice for a failure."""
    found = {check["name"]: check for check in session.preflight_checks}
    is_pending = session.preflight_state == SandboxSession.Preflight.PENDING
    pending = [name for name in CHECKS if name not in found and is_pending]
    unknown = {"status": "waiting", "detail": ""}
    return [
        {"name": name, **found.get(name, unknown), "advice": CHECKS.get(name, "")}
        for name in [*found, *pending]
    ]


def _policy(session: SandboxSession) -> dict[str, Any]:
    return iam_policy(
        mode=session.mode,
        instance_id=session.instance_id,
        session_id=str(session.pk),
        region=session.aws_region,
    )


def _stages(evaluation: Evaluation | None) -> list[Stage]:
    if evaluation is None:
        return [Stage(name, *STAGES[name], status="waiting") for name in STAGES]
    if evaluation.outcome is None:
        return _unfinished(evaluation)
    return [
        Stage(
            step["stage"],
            *STAGES[step["stage"]],
            status=step["status"],
            entered=step["in"],
            left=step["out"],
            note=step["note"],
        )
        for step in evaluation.outcome["trace"]
    ]


def _unfinished(evaluation: Evaluation) -> list[Stage]:
    """Return the stages of an evaluation that is pending or has failed."""
    published = evaluation.published_steps
    current = next((name for name in STAGES if name not in published), None)
    statuses = dict.fromkeys(STAGES, "waiting") | dict.fromkeys(published, "done")
    if current is not None:
        statuses[current] = "running" if _is_pending(evaluation) else "stopped"
    return [Stage(name, *STAGES[name], status=statuses[name]) for name in STAGES]


def _failure_kind(code: str) -> str:
    if code.removeprefix("aws_") in CREDENTIAL_ERRORS:
        return "keys"
    return "aws" if code.startswith("aws_") else "other"


def _result(evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    if evaluation.error is not None:
        code = evaluation.error["code"]
        return {"tone": "bad", "advice": FAILURES.get(code, FAILURES[_failure_kind(code)])}
    outcome = evaluation.outcome
    if outcome is None:
        return {}
    title, advice = DECISIONS[outcome["decision"]]
    return {
        "outcome": outcome,
        "title": title,
        "tone": decision_tone(outcome["decision"]),
        "advice": advice,
        "signal": SIGNALS[outcome["aws_signal"]],
        "rejected": _rejected(outcome["counts"]["rejected"]),
        "rejected_count": outcome["counts"]["considered"] - outcome["counts"]["kept"],
        "pools": _pools(evaluation.session.aws_region, outcome),
    }


def _rejected(counts: dict[str, int]) -> list[tuple[str, int]]:
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return [(_uncapitalized(REJECTIONS.get(reason, reason)), count) for reason, count in ranked]


def _uncapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]


def _pools(region: str, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the pools whose price history the chart requests."""
    pools = [_pool(kind, region, outcome) for kind in ("current", "target") if outcome[kind]]
    return {"market_as_of": outcome["market_as_of"], "pools": pools}


def _pool(kind: str, region: str, outcome: dict[str, Any]) -> dict[str, Any]:
    pool = outcome[kind]
    suffix = "" if pool["purchase"] == "spot" else ", on demand"
    fields = ("instance_type", "availability_zone_id", "purchase", "price")
    return {
        **{field: pool[field] for field in fields},
        "kind": kind,
        "name": f"{pool['instance_type']} in {pool['availability_zone']}{suffix}",
        "region": region,
        "until": outcome["market_as_of"],
    }


def _script_data(session: SandboxSession, last_seq: int) -> dict[str, Any]:
    return {
        "session_url": reverse("api-session", args=[session.pk]),
        "evaluate_url": reverse("evaluate", args=[session.pk]),
        "stream_path": f"{STREAM_PATH}{session.pk}",
        "last_seq": last_seq,
        "rejections": REJECTIONS,
        "products": [product.description for product in PRODUCTS],
    }
