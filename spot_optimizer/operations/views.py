"""For machines: is it alive, which of its parts is down, and what Prometheus is told."""

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
from spot_optimizer.operations.dependencies import Probe, look_without_thread

logger = logging.getLogger(__name__)

WITHIN = 5.0  # [s] for the rows: Prometheus itself waits ten
DATABASE = Probe("rows", lambda: DatabaseCollector(now=timezone.now()))

rows_readable = Gauge(
    "spot_optimizer_rows_readable", "0 where the database did not answer, so its part is missing."
)


@csrf_exempt  # or another method would be told of a form
@only_get
async def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@csrf_exempt
@only_get
async def ready(request: HttpRequest) -> JsonResponse:
    """
    Say what is down, and what to do; why is in the log.

    A worker or beat that does not come is told, and no reason to send nobody here: this process
    answers all the same, and what is asked of it waits in the rows.
    """
    report = await look_without_thread()
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
    rows = await _rows()
    rows_readable.set(rows is not None)
    told = generate_latest() + (generate_latest(rows) if rows else b"")
    return HttpResponse(told, content_type=CONTENT_TYPE_LATEST)


def _check_token(header: str) -> None:
    """:raises Unauthenticated: it is another; or none is set, and this is production"""
    expected = settings.METRICS_TOKEN
    if not expected and not settings.IS_PRODUCTION:
        return
    if not expected:
        raise Unauthenticated("Set METRICS_TOKEN on this server; then send it as a bearer token.")
    if not hmac.compare_digest(header.encode(), f"Bearer {expected}".encode()):
        raise Unauthenticated("Send Authorization: Bearer <METRICS_TOKEN of this server>.")


async def _rows() -> CollectorRegistry | None:
    """Return the metrics of the rows, None where the database does not give them in time."""
    answer = DATABASE.start()
    await asyncio.wait([asyncio.wrap_future(answer)], timeout=WITHIN)
    if not answer.done() or answer.exception():
        logger.warning("metrics: the rows cannot be read, so only this process's are told")
        return None
    registry = CollectorRegistry()
    registry.register(answer.result())
    return registry
