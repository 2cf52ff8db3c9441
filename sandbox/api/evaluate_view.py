"""The endpoint that waits for a result, without a thread or database connection meanwhile."""

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from channels.db import database_sync_to_async
from django.http import HttpRequest
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response

from sandbox.api.serializers import EvaluationOut
from sandbox.api.views import EvaluateView
from sandbox.models import Evaluation
from sandbox.queries import is_settled
from spot_optimizer.errors import AwsTimeout
from streaming.notifications import Notifications

MAX_WAIT = 10.0  # [s]

request_evaluation = database_sync_to_async(EvaluateView.as_view())  # returns its connection
settled = database_sync_to_async(is_settled)


@csrf_exempt  # as every DRF view is; DRF checks it for session authentication
async def evaluate(request: HttpRequest, session_id: UUID) -> Response:
    """Request an evaluation; respond when it is settled, or with 202 if that takes too long."""
    response: Response = await request_evaluation(request, session_id=session_id)
    if response.status_code != 202:
        return response
    evaluation_id = UUID(response.data["evaluation_id"])
    timeout, applied = _preference(request)
    if applied:
        response.headers["Preference-Applied"] = applied
    try:
        async with asyncio.timeout(timeout), Notifications(_is_of(session_id)) as notifications:
            while not await settled(evaluation_id):
                await notifications.wait()
    except TimeoutError:
        return response
    settled_response: Response = await database_sync_to_async(_settled)(response, evaluation_id)
    return settled_response


def _is_of(session_id: UUID) -> Callable[[UUID, int], bool]:
    return lambda stream_id, seq: stream_id == session_id


def _preference(request: HttpRequest) -> tuple[float, str]:
    """
    Parse ``Prefer`` (RFC 7240): ``respond-async``, or ``wait=n`` up to ``MAX_WAIT``.

    Return how long to wait [s], and the preference applied.
    """
    prefer = request.headers.get("Prefer", "")
    if re.search(r"\brespond-async\b", prefer):
        return 0.0, "respond-async"
    wait = re.search(r"\bwait=([0-9]{1,9})\b", prefer)
    if wait is None:
        return MAX_WAIT, ""
    seconds = min(int(wait[1]), int(MAX_WAIT))
    return seconds, f"wait={seconds}"


def _settled(response: Response, evaluation_id: UUID) -> Response:
    """Replace the data of the response that DRF has negotiated but not yet rendered."""
    evaluation = Evaluation.objects.defer("packed_pools").get(pk=evaluation_id)
    response.data = EvaluationOut(evaluation).data
    response.status_code = HTTPStatus.OK
    if evaluation.error is not None:
        response.data = evaluation.error | {"evaluation_id": str(evaluation.pk)}
        response.status_code = _error_status(evaluation.error["code"])
    del response.headers["Location"]
    return response


def _error_status(code: str) -> HTTPStatus:
    if code == AwsTimeout.code:
        return HTTPStatus.GATEWAY_TIMEOUT
    return HTTPStatus.BAD_GATEWAY if code.startswith("aws_") else HTTPStatus.CONFLICT


# drf-spectacular documents view classes only.
evaluate.cls = EvaluateView  # type: ignore[attr-defined]
evaluate.initkwargs = {}  # type: ignore[attr-defined]
