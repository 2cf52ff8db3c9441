from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")


def in_thread(query: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """
    Return a coroutine function that runs the query in a thread and then closes its connection.

    Channels' database_sync_to_async runs all of them in one thread, one after the other.
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return query(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(run, thread_sensitive=False)
