from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import UserRequest
from lab.queries import get_active_model
from sandbox import queries, services
from sandbox.api import serializers
from sandbox.api.schemas import EvaluationSchema, EvaluationWithPoolsSchema, LinesSchema
from sandbox.models import SandboxSession
from spot_optimizer.api.pagination import NewestFirst, limit_of, page_of
from spot_optimizer.api.parsers import validated
from spot_optimizer.api.schema import ErrorOut
from spot_optimizer.aws.iam_policy import iam_policy
from spot_optimizer.errors import Invalid
from streaming.queries import page_after, stored_lines


class SessionsView(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        summary="List your sessions, newest first",
        operation_id="sessions_list",
        parameters=[OpenApiParameter("active", bool)],
        responses=serializers.SessionOut(many=True),
    )
    def get(self, request: UserRequest) -> Response:
        sessions = queries.sessions_of(request.user)
        active_filter = request.query_params.get("active")
        if active_filter not in (None, "true", "false"):
            raise Invalid("active is not valid.", errors={"active": ["Use true or false."]})
        if active_filter == "true":
            sessions = sessions.active(at=timezone.now())
        elif active_filter == "false":
            active = SandboxSession.objects.active(at=timezone.now())
            sessions = sessions.exclude(pk__in=active.values("pk"))
        return page_of(self, sessions, serializers.SessionOut)

    @extend_schema(
        summary="Open a session",
        request=serializers.SessionIn,
        responses={201: serializers.SessionOut},
    )
    def post(self, request: UserRequest) -> Response:
        fields = validated(serializers.SessionIn, request.data)
        session = services.open_session(user=request.user, **fields, now=timezone.now())
        return Response(_session(session, request), status=status.HTTP_201_CREATED)


class SessionView(APIView):
    @extend_schema(summary="Get a session", responses=serializers.SessionOut)
    def get(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        return Response(_session(session, request))

    @extend_schema(
        summary="End a session",
        parameters=[OpenApiParameter("result", enum=["keep", "undo"])],
        responses={200: serializers.SessionOut},
    )
    def delete(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        if request.query_params.get("result", "keep") not in ("keep", "undo"):
            raise Invalid("result is not valid.", errors={"result": ["Use keep or undo."]})
        session = services.end_session(session=session, now=timezone.now())
        return Response(_session(session, request))


PREFER = OpenApiParameter(
    "Prefer",
    location=OpenApiParameter.HEADER,
    description="`wait=n`: wait up to n seconds (at most 10). `respond-async`: do not wait.",
)


PREFERENCE_APPLIED = OpenApiParameter(
    "Preference-Applied",
    location=OpenApiParameter.HEADER,
    description="The part of `Prefer` that was honored.",
    response=[200, 202],
)


class EvaluateView(APIView):
    @extend_schema(
        request=serializers.EvaluateIn,
        summary="Evaluate the instance",
        description="Waits up to 10 s; then the evaluation continues at the URL in `Location`.",
        responses={
            200: OpenApiResponse(EvaluationSchema, "Decided."),
            202: OpenApiResponse(EvaluationSchema, "Pending; `Location` is its URL."),
            409: ErrorOut,
            502: ErrorOut,
            504: ErrorOut,
        },
        parameters=[PREFER, PREFERENCE_APPLIED],
    )
    def post(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        model_id = validated(serializers.EvaluateIn, request.data)["model_id"]
        model = None if model_id is None else get_active_model(model_id)
        evaluation = services.request_evaluation(session=session, model=model, now=timezone.now())
        location = reverse("evaluation", args=[session_id, evaluation.pk])
        return Response(
            serializers.EvaluationOut(evaluation).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": location},
        )


class EvaluationsView(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        summary="List a session's evaluations, newest first",
        operation_id="evaluations_list",
        responses=EvaluationSchema(many=True),
    )
    def get(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        return page_of(self, queries.evaluations_of(session), serializers.EvaluationOut)


class EvaluationView(APIView):
    @extend_schema(
        summary="Get an evaluation and all its pools", responses=EvaluationWithPoolsSchema
    )
    def get(self, request: UserRequest, session_id: UUID, evaluation_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        evaluation = queries.get_evaluation(session=session, evaluation_id=evaluation_id)
        return Response(serializers.EvaluationWithPoolsOut(evaluation).data)


class ActionsView(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        summary="List a session's audit trail, newest first",
        responses=serializers.ActionOut(many=True),
    )
    def get(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        return page_of(self, queries.actions_of(session), serializers.ActionOut)


class NdjsonRenderer(BaseRenderer):
    """Offers NDJSON in content negotiation; the view itself streams the lines."""

    media_type = "application/x-ndjson"
    format = "ndjson"

    def render(self, data: Any, *_: object, **__: object) -> bytes:
        return JSONRenderer().render(data) + b"\n"  # errors only


class LogsView(APIView):
    renderer_classes = [*APIView.renderer_classes, NdjsonRenderer]

    @extend_schema(
        parameters=[
            OpenApiParameter("after", {"type": "integer", "minimum": 0}),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
        ],
        summary="List a session's lines, in order",
        responses={(200, "application/json"): LinesSchema, (200, "application/x-ndjson"): str},
    )
    def get(self, request: UserRequest, session_id: UUID) -> Response | StreamingHttpResponse:
        session = queries.get_session(user=request.user, session_id=session_id)
        after = _seq(request.query_params.get("after", "0"))
        if isinstance(request.accepted_renderer, NdjsonRenderer):
            return StreamingHttpResponse(
                stored_lines(session.pk), content_type=NdjsonRenderer.media_type
            )
        limit = limit_of(request.query_params.get("limit"), default=1000, most=1000)
        frames, last_seq, has_more = page_after(session.pk, after=after, limit=limit)
        return Response({"results": frames, "last_seq": last_seq, "has_more": has_more})


class IamPolicyView(APIView):
    @extend_schema(summary="Get the session's least-privilege IAM policy", responses=dict)
    def get(self, request: UserRequest, session_id: UUID) -> Response:
        session = queries.get_session(user=request.user, session_id=session_id)
        return Response(
            iam_policy(
                mode=session.mode,
                instance_id=session.instance_id,
                session_id=str(session.pk),
                region=session.aws_region,
            )
        )


def _session(session: SandboxSession, request: UserRequest) -> dict[str, Any]:
    data: dict[str, Any] = serializers.SessionOut(session, context={"request": request}).data
    return data


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Invalid("after is not valid.", errors={"after": ["Use the seq of a line, or 0."]})
    return min(int(text), 2**31 - 1)
