"""Is the platform alive, and which of its parts is down?"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from celery.exceptions import OperationalError
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from spot_optimizer.api import only_get
from spot_optimizer.celery import app

logger = logging.getLogger(__name__)

DOWN = (DatabaseError, RedisError, KombuError, OperationalError, OSError)


@csrf_exempt  # or another method would be told of a form
@only_get
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@csrf_exempt
@only_get
def ready(request: HttpRequest) -> JsonResponse:
    """Ask each dependency; the one that is down is named, and why is in the log."""
    parts = {name: _state(name, ask) for name, ask in DEPENDENCIES.items()}
    is_up = set(parts.values()) == {"ok"}
    answer = JsonResponse(
        {"status": "ok" if is_up else "unavailable", "dependencies": parts},
        status=HTTPStatus.OK if is_up else HTTPStatus.SERVICE_UNAVAILABLE,
    )
    if not is_up:
        answer["Retry-After"] = "5"
    return answer


def _state(name: str, ask: Callable[[], object]) -> str:
    try:
        ask()
    except DOWN as error:
        logger.warning("health: %s is down: %s", name, type(error).__name__)
        return "down"
    return "ok"


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_broker() -> None:
    with app.connection_for_write(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _ask_cache() -> None:
    cache.get("health")


DEPENDENCIES: dict[str, Callable[[], object]] = {
    "database": _ask_database,
    "broker": _ask_broker,
    "redis" if settings.REDIS_URL else "cache": _ask_cache,
}
