"""Where HTTP meets the domain: bodies in, one error shape out."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from spot_optimizer import errors
from spot_optimizer.api.bodies import shared
from spot_optimizer.api.parsers import TooLarge

if TYPE_CHECKING:
    pass  # it loads this module in turn, for its settings

STATUS: dict[type[errors.DomainError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Missing: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.LimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AwsRefused: HTTPStatus.BAD_GATEWAY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AwsTimeout: HTTPStatus.GATEWAY_TIMEOUT,
}


NO_OBJECT = 'Send a JSON object: {"name": value, …}.'


def checked(serializer: type, body: Any, **context: Any) -> dict[str, Any]:
    """Return the fields of a request's body; DRF's refusal names those that are wrong."""
    if not context:
        with suppress(exceptions.ValidationError):  # the form words the refusal
            good: dict[str, Any] = shared(serializer).run_validation(body)
            return good
    form = serializer(data=body, context=context)
    form.is_valid(raise_exception=True)
    fields: dict[str, Any] = form.validated_data
    return fields


class Negotiation(DefaultContentNegotiation):
    """What ``?format=`` asks for and nobody has is not acceptable, as with ``Accept``."""

    def filter_renderers(
        self,
        renderers: Iterable[BaseRenderer],
        format: str,
    ) -> list[BaseRenderer]:
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            raise exceptions.NotAcceptable
        return found


def answer_for(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a refusal, ours or the framework's, into the one error shape; a bug stays a bug."""
    set_rollback()
    if isinstance(error, errors.DomainError):
        return _domain_answer(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing here. Check the id and the path.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge()
    if isinstance(error, exceptions.APIException):
        return _framework_answer(error, context)
    return None


def status_of(error: errors.DomainError) -> HTTPStatus:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def body_of(error: errors.DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": str(error), "code": error.code, **error.facts}
    if isinstance(error, errors.Invalid) and error.errors:
        body["errors"] = error.errors
    return body


def _domain_answer(error: errors.DomainError) -> Response:
    headers = {}
    if isinstance(error, errors.LimitReached | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body_of(error), status=status_of(error), headers=headers)


def _framework_answer(error: exceptions.APIException, context: dict[str, Any]) -> Response:
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, exceptions.Throttled):
        wait = max(1, ceil(getattr(error, "wait", None) or 1))
        headers["Retry-After"] = str(wait)
        body = _body(f"Too many requests. Try again in {wait} seconds.", "too_many_requests")
    elif isinstance(error, exceptions.ValidationError):
        body = _invalid_body(error)
    else:
        body = _body(_sentence_of(error, context), _code_of(error))
    return Response(body, status=error.status_code, headers=headers)


def _code_of(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ParseError):
        return "malformed"
    if isinstance(error, exceptions.PermissionDenied):
        return "csrf_failed" if str(error.detail).startswith("CSRF") else "role_required"
    codes = {
        HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
        HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    }
    return codes.get(HTTPStatus(error.status_code)) or str(getattr(error.detail, "code", "error"))


def _sentence_of(error: exceptions.APIException, context: dict[str, Any]) -> str:
    """Say what to do, where DRF only says what is wrong."""
    if isinstance(error, exceptions.NotAuthenticated):
        return "Sign in at /api/v1/auth/login, then send Authorization: Bearer <access_token>."
    if isinstance(error, exceptions.MethodNotAllowed):
        return use_of(getattr(context.get("view"), "allowed_methods", []))
    if isinstance(error, exceptions.NotAcceptable):
        return "We have no answer in that format. Send Accept: application/json."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "Send the body as JSON, with Content-Type: application/json."
    return str(error.detail)


def use_of(methods: Sequence[str]) -> str:
    return f"This address does not take that method. Use {' or '.join(methods)}."


def _invalid_body(error: exceptions.ValidationError) -> dict[str, Any]:
    fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    told = {name: _sentences(detail) for name, detail in fields.items()}
    names = [name for name in told if name != "non_field_errors"]
    whole = " ".join(told.get("non_field_errors", []))
    return {
        "detail": f"Please correct: {', '.join(names)}." if names else whole,
        "code": "invalid",
        "errors": told,
    }


def _sentences(detail: Any) -> list[str]:
    """Flatten what DRF says about a field, nested serializers included."""
    if isinstance(detail, dict):
        return [
            sentence if name == "non_field_errors" else f"{name}: {sentence}"
            for name, inner in detail.items()
            for sentence in _sentences(inner)
        ]
    if isinstance(detail, list):
        return [sentence for inner in detail for sentence in _sentences(inner)]
    sentence = str(detail)
    is_no_object = sentence.startswith(("Invalid data. Expected a dict", "No data provided"))
    return [NO_OBJECT if is_no_object else sentence]


def _body(detail: str, code: str) -> dict[str, Any]:
    return {"detail": detail, "code": code}


def only_get(view: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> Callable:
    """Refuse other methods than GET and HEAD in the one error shape."""

    @wraps(view)
    async def checked(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return await view(request)
        body = _body(use_of(["GET"]), "method_not_allowed")
        return JsonResponse(body, status=405, headers={"Allow": "GET, HEAD"})

    return checked


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer what Django refuses before any view: a wrong host, too many fields, and the like."""
    if isinstance(exception, RequestDataTooBig):
        return JsonResponse(_body(TooLarge.default_detail, TooLarge.default_code), status=413)
    sentence = "This request cannot be read. Check its address, headers and body."
    return JsonResponse(_body(sentence, "malformed"), status=400)


def forbidden(request: HttpRequest, exception: Exception) -> JsonResponse:
    sentence = "Your role does not allow this. Ask an admin for another."
    return JsonResponse(_body(sentence, "role_required"), status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    sentence = "This form has expired. Load the page again and send it once more."
    return JsonResponse(_body(sentence, "csrf_failed"), status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    sentence = "There is nothing at this address. See /docs."
    return JsonResponse(_body(sentence, "not_found"), status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    sentence = "Something went wrong on our side. It is logged; try again later."
    return JsonResponse(_body(sentence, "error"), status=500)
