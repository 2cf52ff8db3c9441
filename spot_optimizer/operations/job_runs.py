"""Keeps a row for each run of a periodic job: when, where, and what it did."""

from typing import Any

from django_celery_results.backends.database import DatabaseBackend


class JobRuns(DatabaseBackend):
    """
    Celery's results in the database, without what may hold a secret.

    No arguments, no traceback, no message of an exception (PostgreSQL repeats whole rows in its
    own): those stand in the worker's log, under the task's id. Only tasks with
    ``ignore_result=False`` come here, so an evaluation costs no write.
    """

    def _get_extended_properties(self, request: Any, traceback: Any) -> dict[str, Any]:
        kept: dict[str, Any] = super()._get_extended_properties(request, None)
        return kept | {"task_args": None, "task_kwargs": None}

    def prepare_exception(self, exc: BaseException, serializer: Any = None) -> dict[str, Any]:
        kind = type(exc)
        return {"exc_type": kind.__name__, "exc_message": [], "exc_module": kind.__module__}
