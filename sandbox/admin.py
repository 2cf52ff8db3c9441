from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sandbox import services
from sandbox.models import Evaluation, ReceivedSignal, SandboxAction, SandboxSavings, SandboxSession
from spot_optimizer.admin import ReadOnlyAdmin


@admin.register(SandboxSession)
class SandboxSessionAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "instance_id",
        "aws_region",
        "user",
        "mode",
        "state",
        "expires_at",
    ]
    list_filter = ["state", "mode", "preflight_state", "aws_region"]
    search_fields = ["id", "instance_id", "user__email"]
    list_select_related = ["user"]
    date_hierarchy = "created_at"
    exclude = ["sealed_credentials", "stream_ticket"]
    actions = ["end_now"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    @admin.action(description="End selected sessions", permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[SandboxSession]) -> None:
        now = timezone.now()
        for session in queryset:
            before = session.state
            services.end_session(session=session, now=now)
            if session.state == before:
                text = f"{session} is {session.get_state_display().lower()} already."
                self.message_user(request, text, messages.WARNING)
                continue
            self.log_change(request, session, "Requested its end.")
            text = f"{session} is ending: it is cleaned up, then its credentials are erased."
            self.message_user(request, text, messages.SUCCESS)


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "session", "state", "decision", "settled_at"]
    list_filter = ["state", "decision"]
    search_fields = ["id", "session__id", "session__instance_id"]
    list_select_related = ["session"]
    date_hierarchy = "created_at"


@admin.register(SandboxAction)
class SandboxActionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "session", "action", "status", "detail", "resource_id"]
    list_filter = ["action", "status"]
    search_fields = ["session__id", "session__instance_id", "resource_id"]
    list_select_related = ["session"]
    date_hierarchy = "created_at"


@admin.register(SandboxSavings)
class SandboxSavingsAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "evaluation", "hourly", "monthly", "percent"]
    search_fields = ["evaluation__id", "evaluation__session__instance_id"]
    list_select_related = ["evaluation"]


@admin.register(ReceivedSignal)
class ReceivedSignalAdmin(ReadOnlyAdmin):
    list_display = ["at", "instance_id", "kind", "aws_region", "received_at"]
    list_filter = ["kind", "aws_region"]
    search_fields = ["instance_id", "event_id"]
