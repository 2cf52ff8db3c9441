"""The admin index with health, pending evaluations, unfinished sessions and periodic jobs."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from prometheus_client import REGISTRY

from spot_optimizer.operations import dependencies, queries


class OperatorsSite(AdminSite):
    index_template = "admin/front_page.html"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), **_front_page()})


def _front_page() -> dict[str, Any]:
    now = timezone.now()
    return {
        "report": dependencies.check(),
        "queue": queries.queue(now=now),
        "sessions": queries.sessions_by_state(),
        "unfinished": queries.unfinished_sessions(),
        "jobs": queries.jobs(now=now),
        "watchers": int(REGISTRY.get_sample_value("spot_optimizer_watchers") or 0),
    }
