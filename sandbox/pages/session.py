"""The dashboard's page of one session, as it is now; its script keeps it so."""

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
from spot_optimizer.aws.errors import CREDENTIAL_ERRORS
from spot_optimizer.aws.iam_policy import iam_policy
from spot_optimizer.aws.products import PRODUCTS
from spot_optimizer.dashboard.pages import login_required_page
from spot_optimizer.errors import Missing
from streaming.queries import last_seq_of

EARLIER = 30  # evaluations that the page lists
ACTIONS = 50


class Stage(NamedTuple):
    name: str
    title: str
    does: str
    status: str  # done, disabled, running, waiting or stopped
    entered: int | None = None
    left: int | None = None
    note: str = ""


@login_required_page
@require_safe
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Show a session and an evaluation of it: ``?evaluation=``, or the newest that is settled."""
    session = get_session(user=cast(User, request.user), session_id=session_id)
    # First: what happens while the rows are read is news to the page, not something it missed.
    last_seq = last_seq_of(session.pk)
    evaluations = list(evaluations_of(session)[:EARLIER])
    pending = next((each for each in evaluations if _is_pending(each)), None)
    newest = next((each for each in evaluations if not _is_pending(each)), None)
    chosen = _chosen(request, session)
    shown = chosen or newest
    context = {
        "session": session,
        "glance": SessionSummary(session, session.is_active(at=timezone.now()), shown),
        "checks": _checks(session),
        "policy": json.dumps(_policy(session), indent=2),
        "evaluations": evaluations,
        "evaluation": shown,
        "chosen": chosen,
        "newer": newest if chosen and newest != chosen else None,
        "is_running": pending is not None,
        "stages": _stages(pending if pending and not chosen else shown),
        "actions": actions_of(session)[:ACTIONS],
        "data": _data(session, last_seq),
        **_told(shown),
    }
    return render(request, "dashboard/session.html", context)


def _is_pending(evaluation: Evaluation) -> bool:
    return evaluation.state == Evaluation.State.PENDING


def _chosen(request: HttpRequest, session: SandboxSession) -> Evaluation | None:
    """:raises Missing: the session has no such evaluation"""
    asked = request.GET.get("evaluation")
    if asked is None:
        return None
    try:
        evaluation_id = UUID(asked)
    except ValueError:
        raise Missing("This session has no evaluation with this id.") from None
    return get_evaluation(session=session, evaluation_id=evaluation_id)


def _checks(session: SandboxSession) -> list[dict[str, str]]:
    """Return the preflight's checks, those to come as well, each with what to do if it fails."""
    found = {check["name"]: check for check in session.preflight_checks}
    is_pending = session.preflight_state == SandboxSession.Preflight.PENDING
    to_come = [name for name in CHECKS if name not in found and is_pending]
    unknown = {"status": "waiting", "detail": ""}
    return [
        {"name": name, **found.get(name, unknown), "advice": CHECKS.get(name, "")}
        for name in [*found, *to_come]
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
    """Return how far an evaluation has come that is pending or has failed."""
    here = "running" if _is_pending(evaluation) else "stopped"
    at = next((name for name in STAGES if name not in evaluation.told), None)
    return [
        Stage(
            name,
            *STAGES[name],
            status="done" if name in evaluation.told else here if name == at else "waiting",
        )
        for name in STAGES
    ]


def _kind_of(code: str) -> str:
    if code.removeprefix("aws_") in CREDENTIAL_ERRORS:
        return "keys"
    return "aws" if code.startswith("aws_") else "other"


def _told(evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    if evaluation.error is not None:
        code = evaluation.error["code"]
        return {"tone": "bad", "advice": FAILURES.get(code, FAILURES[_kind_of(code)])}
    outcome = evaluation.outcome
    if outcome is None:
        return {}
    title, tone, advice = DECISIONS[outcome["decision"]]
    return {
        "outcome": outcome,
        "title": title,
        "tone": tone,
        "advice": advice,
        "signal": SIGNALS[outcome["aws_signal"]],
        "rejected": _rejected(outcome["counts"]["rejected"]),
        "rejected_count": outcome["counts"]["considered"] - outcome["counts"]["kept"],
        "pools": _pools(evaluation.session.aws_region, outcome),
    }


def _rejected(counts: dict[str, int]) -> list[tuple[str, int]]:
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return [(_begun_small(REJECTIONS.get(reason, reason)), count) for reason, count in most_first]


def _begun_small(words: str) -> str:
    return words[:1].lower() + words[1:]


def _pools(region: str, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return what the price chart has to ask for."""
    told = []
    for kind in ("current", "target"):
        pool = outcome[kind]
        if pool is not None:
            name = f"{pool['instance_type']} in {pool['availability_zone']}"
            bought = "" if pool["purchase"] == "spot" else ", on demand"
            of = ("instance_type", "availability_zone_id", "purchase", "price")
            told.append(
                {name: pool[name] for name in of}
                | {"kind": kind, "name": name + bought, "region": region}
                | {"until": outcome["market_as_of"]}
            )
    return {"market_as_of": outcome["market_as_of"], "pools": told}


def _data(session: SandboxSession, last_seq: int) -> dict[str, Any]:
    return {
        "session_url": reverse("api-session", args=[session.pk]),
        "evaluate_url": reverse("evaluate", args=[session.pk]),
        "stream_path": f"{STREAM_PATH}{session.pk}",
        "last_seq": last_seq,
        "rejections": REJECTIONS,
        "products": [product.description for product in PRODUCTS],
    }
