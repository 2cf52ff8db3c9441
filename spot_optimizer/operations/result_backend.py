"""Celery result backend that stores a row for each run of a periodic job."""

from typing import Any

from django_celery_results.backends.database import DatabaseBackend


class JobRuns(DatabaseBackend):
    """
    Celery's results in the database, without fields that may contain secrets.

    Arguments, tracebacks and exception messages are not stored (PostgreSQL includes whole rows in
    its messages): they are in the worker's log, under the task id. Only tasks with
    ``ignore_result=False`` have a result, so an evaluation makes no additional write.
    """

    def _get_extended_properties(self, request: Any, traceback: Any) -> dict[str, Any]:
        properties: dict[str, Any] = super()._get_extended_properties(request, None)
        return properties | {"task_args": None, "task_kwargs": None}

    def prepare_exception(self, exc: BaseException, serializer: Any = None) -> dict[str, Any]:
        kind = type(exc)
        return {"exc_type": kind.__name__, "exc_message": [], "exc_module": kind.__module__}
