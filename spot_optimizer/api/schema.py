"""The parts of the OpenAPI schema that all operations share: summaries and errors."""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated

from spot_optimizer.errors import DomainError

ERROR_DESCRIPTIONS = {
    400: "The body, a field or a parameter is invalid (see `errors`), or cannot be parsed.",
    401: "Not signed in, or the token or secret is invalid.",
    403: "Not allowed for this role, or a cookie was sent without its CSRF token.",
    404: "Does not exist, or belongs to another user.",
    405: "The URL does not support this method; `Allow` lists those it does.",
    406: "The response is not available in the requested format.",
    409: "The state of the object does not allow it.",
    413: "The body is too large.",
    414: "The URL is too long.",
    415: "The URL does not accept this content type.",
    429: "A rate limit was exceeded; retry after `Retry-After` seconds.",
    431: "The headers are too many or too long.",
    502: "AWS returned an error; the code is `aws_` followed by its error code.",
    503: "Part of the platform is unavailable; retry after `Retry-After` seconds.",
    504: "AWS did not respond in time.",
}


# Codes of Django, DRF and the server; those of the domain are attributes of its exceptions.
HTTP_CODES = {
    "csrf_failed",
    "error",
    "headers_too_large",
    "malformed",
    "method_not_allowed",
    "not_acceptable",
    "request_timeout",
    "too_large",
    "unsupported_media_type",
    "uri_too_long",
}


def codes() -> list[str]:
    """Return every error code, except those derived from AWS error codes."""
    found, kinds = set(HTTP_CODES), [DomainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        found.add(kind.code)
    return sorted(found)


@extend_schema_serializer(component_name="Error")
class ErrorOut(serializers.Serializer):
    """An error: `detail` is for people, the stable `code` for programs. Some have more fields."""

    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        # "errors" is an attribute of every serializer, so it cannot be declared as a field.
        messages = serializers.ListField(child=serializers.CharField())
        listed = ", ".join(f"`{code}`" for code in codes())
        return super().get_fields() | {
            "code": serializers.CharField(
                help_text=f"{listed}, or `aws_…` with the AWS error code."
            ),
            "errors": serializers.DictField(
                child=messages,
                required=False,
                help_text="With a 400: the messages for each invalid field.",
            ),
        }


class Schema(AutoSchema):
    """Adds a summary and the possible error responses to each operation."""

    def get_summary(self) -> str:
        """Return the first sentence of the view's description, or its class name in words."""
        first = re.split(r"(?<=[.:;])\s", str(self.get_description()).strip())[0].rstrip(".:;")
        name = type(self.view).__name__.removesuffix("View")
        return first or re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize()

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        error = self.resolve_serializer(ErrorOut, "response").ref
        responses = operation["responses"]
        # Errors have the requested format, like other responses.
        kinds = {kind for each in responses.values() for kind in each.get("content", {})}
        content = {kind: {"schema": error} for kind in sorted(kinds | {"application/json"})}
        statuses = self._error_statuses(operation) | {int(each) for each in responses}
        for status in statuses & set(ERROR_DESCRIPTIONS):
            description = ERROR_DESCRIPTIONS[status]
            responses[str(status)] = {"content": content, "description": description}
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def _error_statuses(self, operation: dict[str, Any]) -> set[int]:
        places = {each["in"] for each in operation.get("parameters", [])}
        kinds = set(self.view.permission_classes)
        changes = self.method != "GET"
        found = {400, 405, 406, 414, 429, 431, 503}
        found |= {413, 415} if "requestBody" in operation else set()
        found |= {404} if places & {"path", "query"} else set()
        found |= {409} if changes and "path" in places else set()
        found |= set() if AllowAny in kinds else {401}
        found |= {403} if kinds - {AllowAny, IsAuthenticated} else set()
        return found | ({403} if changes and AllowAny not in kinds else set())
