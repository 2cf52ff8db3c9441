"""What the home page shows of a user's sessions, in a fixed number of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.fields.json import KT

from accounts.models import User
from sandbox.models import Evaluation, SandboxSession
from sandbox.queries import sessions_of

RECENT = 10
TONES = {
    "active": "good",
    "expired": "warn",
    "ending": "info",
    "cleanup_failed": "bad",
    "ended": "",
    "STAY": "good",
    "SWITCH": "info",
    "DRAIN": "warn",
    "EVACUATE": "bad",
}


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session and its last evaluation, as far as a look at the home page needs them."""

    session: SandboxSession
    is_active: bool
    last: Evaluation | None

    @property
    def state(self) -> str:
        """Return the state; a session whose time is over is no longer shown as active."""
        is_over = self.session.state == SandboxSession.State.ACTIVE and not self.is_active
        return SandboxSession.State.EXPIRED if is_over else self.session.state

    @property
    def state_label(self) -> str:
        return SandboxSession.State(self.state).label

    @property
    def tone(self) -> str:
        return TONES[self.state]

    @property
    def decision_tone(self) -> str:
        return TONES.get(self.last.decision, "") if self.last else ""


def summaries_for(
    user: User, *, now: datetime
) -> tuple[list[SessionSummary], list[SessionSummary]]:
    """Return the user's active sessions and the last that are not, each the newest first."""
    active = sessions_of(user).active(at=now)
    others = sessions_of(user).exclude(pk__in=active.values("pk"))
    sessions = [*_with_last(active), *_with_last(others)[:RECENT]]
    last = _evaluations(sessions)
    glances = [
        SessionSummary(each, each.is_active(at=now), last.get(each.last_evaluation))
        for each in sessions
    ]
    return (
        [glance for glance in glances if glance.is_active],
        [glance for glance in glances if not glance.is_active],
    )


def _with_last(sessions: Any) -> Any:
    newest = Evaluation.objects.filter(session=OuterRef("pk")).order_by("-created_at", "-pk")
    return sessions.annotate(last_evaluation=Subquery(newest.values("pk")[:1])).defer(
        "sealed_credentials", "zone_names", "preflight_checks"
    )


def _evaluations(sessions: Sequence[Any]) -> Mapping[Any, Evaluation]:
    """Return the last evaluation of each, without its outcome and pools: those are large."""
    last = Evaluation.objects.defer("packed_pools", "outcome", "told").annotate(
        target_type=KT("outcome__target__instance_type"),
        target_zone=KT("outcome__target__availability_zone"),
        target_purchase=KT("outcome__target__purchase"),
    )
    ids = [session.last_evaluation for session in sessions if session.last_evaluation]
    return last.select_related("projected_savings").in_bulk(ids)
