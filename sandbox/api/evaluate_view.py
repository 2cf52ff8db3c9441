"""The one request that waits: it holds no thread and no connection while it does."""

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
from streaming.notifications import Nudges

LONGEST_WAIT = 10.0  # [s]

ask = database_sync_to_async(EvaluateView.as_view())  # gives the connection back when it returns
settled = database_sync_to_async(is_settled)


@csrf_exempt  # as every DRF view is; DRF checks it for session log-ins
async def evaluate(request: HttpRequest, session_id: UUID) -> Response:
    """Ask for an evaluation and answer when it is settled; if that takes too long, with 202."""
    answer: Response = await ask(request, session_id=session_id)
    if answer.status_code != 202:
        return answer
    evaluation_id = UUID(answer.data["evaluation_id"])
    patience, applied = _preference(request)
    if applied:
        answer.headers["Preference-Applied"] = applied
    try:
        async with asyncio.timeout(patience), Nudges(_is_of(session_id)) as nudges:
            while not await settled(evaluation_id):
                await nudges.wait()
    except TimeoutError:
        return answer
    settled_answer: Response = await database_sync_to_async(_settled)(answer, evaluation_id)
    return settled_answer


def _is_of(session_id: UUID) -> Callable[[UUID, int], bool]:
    return lambda stream_id, seq: stream_id == session_id


def _preference(request: HttpRequest) -> tuple[float, str]:
    """
    Read ``Prefer`` (RFC 7240): ``respond-async``, or ``wait=n`` up to our own limit.

    Return how long to wait [s], and what of it is honoured.
    """
    prefer = request.headers.get("Prefer", "")
    if re.search(r"\brespond-async\b", prefer):
        return 0.0, "respond-async"
    wait = re.search(r"\bwait=([0-9]{1,9})\b", prefer)
    if wait is None:
        return LONGEST_WAIT, ""
    seconds = min(int(wait[1]), int(LONGEST_WAIT))
    return seconds, f"wait={seconds}"


def _settled(answer: Response, evaluation_id: UUID) -> Response:
    """Put the outcome into the answer that DRF has already negotiated, but not yet rendered."""
    evaluation = Evaluation.objects.defer("packed_pools").get(pk=evaluation_id)
    answer.data = EvaluationOut(evaluation).data
    answer.status_code = HTTPStatus.OK
    if evaluation.error is not None:
        answer.data = evaluation.error | {"evaluation_id": str(evaluation.pk)}
        answer.status_code = _status_of(evaluation.error["code"])
    del answer.headers["Location"]
    return answer


def _status_of(code: str) -> HTTPStatus:
    if code == AwsTimeout.code:
        return HTTPStatus.GATEWAY_TIMEOUT
    return HTTPStatus.BAD_GATEWAY if code.startswith("aws_") else HTTPStatus.CONFLICT


# The schema, which knows classes only, shows the view that this one asks.
evaluate.cls = EvaluateView  # type: ignore[attr-defined]
evaluate.initkwargs = {}  # type: ignore[attr-defined]
