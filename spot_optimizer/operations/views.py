"""Liveness, readiness and Prometheus metrics."""

import asyncio
import hmac
import logging
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from spot_optimizer.api.error_views import only_get
from spot_optimizer.api.exceptions import error_body
from spot_optimizer.errors import Unauthenticated
from spot_optimizer.operations.database_metrics import DatabaseCollector
from spot_optimizer.operations.dependencies import Probe, check_async

logger = logging.getLogger(__name__)

DATABASE_TIMEOUT = 5.0  # [s] Prometheus waits ten
DATABASE_METRICS = Probe("database-metrics", lambda: DatabaseCollector(now=timezone.now()))

rows_readable = Gauge(
    "spot_optimizer_rows_readable", "0 if the metrics of the database are missing."
)


@csrf_exempt  # or other methods would get a 403 of the CSRF check instead of a 405
@only_get
async def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@csrf_exempt
@only_get
async def ready(request: HttpRequest) -> JsonResponse:
    """
    Report which dependencies are down, and what to do; the reasons are in the log.

    A late worker or beat is reported but does not make this process unavailable: it still serves
    requests, and their jobs wait in the database.
    """
    report = await check_async()
    body: dict[str, Any] = {
        "status": report.status,
        "dependencies": report.dependencies,
        "background": report.background,
    }
    if report.advice:
        body["detail"] = " ".join(report.advice)
    if report.is_up:
        return JsonResponse(body)
    return JsonResponse(
        body | {"code": "unavailable"},
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": "5"},
    )


@csrf_exempt
@only_get
async def metrics(request: HttpRequest) -> HttpResponse:
    try:
        _check_token(request.headers.get("Authorization", ""))
    except Unauthenticated as refusal:
        headers = {"WWW-Authenticate": "Bearer"}
        return JsonResponse(error_body(refusal), status=401, headers=headers)
    registry = await _database_registry()
    rows_readable.set(registry is not None)
    body = generate_latest() + (generate_latest(registry) if registry else b"")
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _check_token(header: str) -> None:
    """:raises Unauthenticated: the token is wrong, or none is set in production"""
    expected = settings.METRICS_TOKEN
    if not expected and not settings.IS_PRODUCTION:
        return
    if not expected:
        raise Unauthenticated("Set METRICS_TOKEN on this server; then send it as a bearer token.")
    if not hmac.compare_digest(header.encode(), f"Bearer {expected}".encode()):
        raise Unauthenticated("Send Authorization: Bearer <METRICS_TOKEN of this server>.")


async def _database_registry() -> CollectorRegistry | None:
    """Return the metrics of the database, None if they cannot be read in time."""
    result = DATABASE_METRICS.start()
    await asyncio.wait([asyncio.wrap_future(result)], timeout=DATABASE_TIMEOUT)
    if not result.done() or result.exception():
        logger.warning("metrics: the database cannot be read, its metrics are missing")
        return None
    registry = CollectorRegistry()
    registry.register(result.result())
    return registry
