"""The sessions on the home page, read in a fixed number of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.fields.json import KT

from accounts.models import User
from sandbox.models import Evaluation, SandboxSession
from sandbox.queries import sessions_of
from spot_optimizer.dashboard.formats import decision_tone

RECENT = 10
STATE_TONES = {
    "active": "good",
    "expired": "warn",
    "ending": "info",
    "cleanup_failed": "bad",
    "ended": "",
}


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session and its last evaluation, without the large columns of either."""

    session: SandboxSession
    is_active: bool
    last: Evaluation | None

    @property
    def state(self) -> str:
        """Return the state; an active session past its expiry counts as expired."""
        has_expired = self.session.state == SandboxSession.State.ACTIVE and not self.is_active
        return SandboxSession.State.EXPIRED if has_expired else self.session.state

    @property
    def state_label(self) -> str:
        return SandboxSession.State(self.state).label

    @property
    def tone(self) -> str:
        return STATE_TONES[self.state]

    @property
    def decision_tone(self) -> str:
        return decision_tone(self.last.decision) if self.last else ""


def summaries_for(
    user: User, *, now: datetime
) -> tuple[list[SessionSummary], list[SessionSummary]]:
    """Return the active sessions and the most recent inactive ones, newest first."""
    active = sessions_of(user).active(at=now)
    inactive = sessions_of(user).exclude(pk__in=active.values("pk"))
    sessions = [*_with_last(active), *_with_last(inactive)[:RECENT]]
    last = _evaluations(sessions)
    summaries = [
        SessionSummary(each, each.is_active(at=now), last.get(each.last_evaluation))
        for each in sessions
    ]
    return (
        [summary for summary in summaries if summary.is_active],
        [summary for summary in summaries if not summary.is_active],
    )


def _with_last(sessions: Any) -> Any:
    newest = Evaluation.objects.filter(session=OuterRef("pk")).order_by("-created_at", "-pk")
    return sessions.annotate(last_evaluation=Subquery(newest.values("pk")[:1])).defer(
        "sealed_credentials", "zone_names", "preflight_checks"
    )


def _evaluations(sessions: Sequence[Any]) -> Mapping[Any, Evaluation]:
    """Return the last evaluation of each session by id, without its large columns."""
    last = Evaluation.objects.defer("packed_pools", "outcome", "published_steps").annotate(
        target_type=KT("outcome__target__instance_type"),
        target_zone=KT("outcome__target__availability_zone"),
        target_purchase=KT("outcome__target__purchase"),
    )
    ids = [session.last_evaluation for session in sessions if session.last_evaluation]
    return last.select_related("projected_savings").in_bulk(ids)
