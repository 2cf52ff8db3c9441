from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")


def in_thread(query: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """
    Let a query run beside the event loop, several at a time, each giving its connection back.

    Channels' own way runs them all on one thread: ten replays would wait for each other.
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return query(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(run, thread_sensitive=False)
