"""Map exceptions to HTTP: one error body for domain, DRF and Django exceptions."""

from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from spot_optimizer import errors
from spot_optimizer.api.parsers import TooLarge

STATUS: dict[type[errors.DomainError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Missing: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.LimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AwsRefused: HTTPStatus.BAD_GATEWAY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AwsTimeout: HTTPStatus.GATEWAY_TIMEOUT,
}
CODES = {
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}
EXPECTED_OBJECT = 'Send a JSON object: {"name": value, …}.'


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the error response for an exception, or None for a bug, which becomes a 500."""
    set_rollback()
    if isinstance(error, errors.DomainError):
        return _domain_response(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound("Not found. Check the id and the path.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge()
    if isinstance(error, exceptions.APIException):
        return _framework_response(error, context)
    return None


def error_status(error: errors.DomainError) -> HTTPStatus:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def error_body(error: errors.DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": str(error), "code": error.code, **error.extra}
    if isinstance(error, errors.Invalid) and error.errors:
        body["errors"] = error.errors
    return body


def allowed_methods_message(methods: Sequence[str]) -> str:
    return f"This URL does not support that method. Use {' or '.join(methods)}."


def _domain_response(error: errors.DomainError) -> Response:
    headers = {}
    if isinstance(error, errors.LimitExceeded | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(error_body(error), status=error_status(error), headers=headers)


def _framework_response(error: exceptions.APIException, context: dict[str, Any]) -> Response:
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, exceptions.Throttled):
        wait = max(1, ceil(getattr(error, "wait", None) or 1))
        headers["Retry-After"] = str(wait)
        detail = f"Too many requests. Try again in {wait} seconds."
        body: dict[str, Any] = {"detail": detail, "code": "too_many_requests"}
    elif isinstance(error, exceptions.ValidationError):
        body = _validation_body(error)
    else:
        body = {"detail": _message(error, context), "code": _code(error)}
    return Response(body, status=error.status_code, headers=headers)


def _code(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ParseError):
        return "malformed"
    if isinstance(error, exceptions.PermissionDenied):
        return "csrf_failed" if str(error.detail).startswith("CSRF") else "role_required"
    status = HTTPStatus(error.status_code)
    return CODES.get(status) or str(getattr(error.detail, "code", "error"))


def _message(error: exceptions.APIException, context: dict[str, Any]) -> str:
    """Return what to do next where DRF's own message only names the problem."""
    if isinstance(error, exceptions.NotAuthenticated):
        return "Sign in at /api/v1/auth/login, then send Authorization: Bearer <access_token>."
    if isinstance(error, exceptions.MethodNotAllowed):
        return allowed_methods_message(getattr(context.get("view"), "allowed_methods", []))
    if isinstance(error, exceptions.NotAcceptable):
        return "The requested response format is not supported. Send Accept: application/json."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "Send the body as JSON, with Content-Type: application/json."
    return str(error.detail)


def _validation_body(error: exceptions.ValidationError) -> dict[str, Any]:
    fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    messages = {name: _flatten(detail) for name, detail in fields.items()}
    names = [name for name in messages if name != "non_field_errors"]
    summary = " ".join(messages.get("non_field_errors", []))
    return {
        "detail": f"Please correct: {', '.join(names)}." if names else summary,
        "code": "invalid",
        "errors": messages,
    }


def _flatten(detail: Any) -> list[str]:
    """Return all messages for a field as one list, those of nested serializers included."""
    if isinstance(detail, dict):
        return [
            message if name == "non_field_errors" else f"{name}: {message}"
            for name, inner in detail.items()
            for message in _flatten(inner)
        ]
    if isinstance(detail, list):
        return [message for inner in detail for message in _flatten(inner)]
    message = str(detail)
    is_not_object = message.startswith(("Invalid data. Expected a dict", "No data provided"))
    return [EXPECTED_OBJECT if is_not_object else message]
