"""Periodic tasks and their runs; replaces the admin classes of the libraries."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask
from django_celery_results.models import GroupResult, TaskResult

from spot_optimizer.admin import ReadOnlyAdmin
from spot_optimizer.errors import DomainError
from spot_optimizer.operations import services
from spot_optimizer.operations.queries import Run, result_text

admin.site.unregister([PeriodicTask, TaskResult, GroupResult])


@admin.register(PeriodicTask)
class JobAdmin(PeriodicTaskAdmin):
    actions = ("enable_tasks", "disable_tasks", "toggle_tasks", "run_now")
    # Removes the library's action, which writes no admin log entry.
    run_tasks = None

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(self.run_one)
        name = "django_celery_beat_periodictask_run"
        return [path("<int:pk>/run", run, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    def run_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        self._run(request, get_object_or_404(PeriodicTask, pk=pk))
        return HttpResponseRedirect(reverse("admin:index"))

    @admin.action(description="Run selected jobs now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        for job in queryset:
            self._run(request, job)

    def _run(self, request: HttpRequest, job: PeriodicTask) -> None:
        try:
            task_id = services.run_job(job=job)
        except DomainError as refusal:
            self.message_user(request, f"{job.name}: {refusal}", messages.ERROR)
            return
        self.log_change(request, job, f"Enqueued a run: {task_id}.")
        message = f"Enqueued a run of {job.name}. It appears here when a worker starts it."
        self.message_user(request, message, messages.SUCCESS)


@admin.register(TaskResult)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("date_created", "job", "status", "seconds", "did", "worker")
    list_filter = ("status", "periodic_task_name", "worker")
    search_fields = ("task_id", "periodic_task_name", "task_name")
    date_hierarchy = "date_created"
    ordering = ("-date_created",)
    fields = (
        *("task_id", "job", "task_name", "worker"),
        *("date_created", "date_done", "seconds", "status", "did"),
    )

    @admin.display(description="Job")
    def job(self, run: Run) -> str:
        return str(run.periodic_task_name or run.task_name)

    @admin.display(description="Seconds")
    def seconds(self, run: Run) -> str:
        is_running = run.status == "STARTED"
        return "" if is_running else f"{(run.date_done - run.date_created).total_seconds():.2f}"

    @admin.display(description="Result")
    def did(self, run: Run) -> str:
        return result_text(run)
