"""The project's addresses, and some whose views go wrong."""

from typing import NoReturn

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from spot_optimizer import errors, urls
from spot_optimizer.urls import handler400, handler403, handler404, handler500  # noqa: F401

SECRET = "a-secret-of-a-traceback"
FAILURES = {
    "bug": lambda: RuntimeError(SECRET),
    "missing": lambda: Http404(SECRET),
    "forbidden": lambda: PermissionDenied(SECRET),
    "suspicious": lambda: SuspiciousOperation(SECRET),
    "too-big": lambda: RequestDataTooBig(SECRET),
    "limit": lambda: errors.LimitExceeded("Five is the limit.", retry_after=7, limit=5, active=5),
    "aws": lambda: errors.AwsRefused("AWS says no.", aws_code="UnauthorizedOperation"),
    "aws-timeout": lambda: errors.AwsTimeout("AWS did not answer."),
    "unavailable": lambda: errors.Unavailable("The broker is away.", retry_after=3),
    "database": lambda: OperationalError(SECRET),
    "conflict": lambda: errors.Conflict("Not now."),
}


def plain(request: HttpRequest, failure: str) -> NoReturn:
    raise FAILURES[failure]()


class FailingView(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request, failure: str) -> NoReturn:
        raise FAILURES[failure]()


class EchoView(APIView):
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


def read_form(request: HttpRequest) -> JsonResponse:
    return JsonResponse(dict(request.POST))


urlpatterns = [
    *urls.urlpatterns,
    path("plain/<failure>", plain),
    path("api/v1/echo", EchoView.as_view()),
    path("api/v1/form", read_form),
    path("api/v1/<failure>", FailingView.as_view()),
]
