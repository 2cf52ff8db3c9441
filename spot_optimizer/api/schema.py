"""What the OpenAPI schema says of every operation."""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated

from spot_optimizer.errors import DomainError

REFUSALS = {
    400: "The body, a field or a parameter is wrong, as `errors` says; or it cannot be read.",
    401: "Nobody is signed in, or the token or the secret does not count.",
    403: "Not for this role; or a cookie was sent without its CSRF token.",
    404: "Not there, or not yours.",
    405: "The address takes other methods only; `Allow` names them.",
    406: "There is no answer in the format that was asked for.",
    409: "The state of the object forbids it.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is of another kind than the address takes.",
    429: "A limit is reached; `Retry-After` says for how many seconds.",
    431: "The headers are too many or too long.",
    502: "AWS refused; the code is `aws_` and what AWS gave.",
    503: "A part of the platform is down; `Retry-After` says for how many seconds.",
    504: "AWS did not answer in time.",
}


# Of the framework and the server; the domain's are where they are raised.
OUTER_CODES = {
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
    """Return every code that a refusal may have, but for those that AWS names."""
    found, kinds = set(OUTER_CODES), [DomainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        found.add(kind.code)
    return sorted(found)


@extend_schema_serializer(component_name="Error")
class ErrorOut(serializers.Serializer):
    """A refusal: `detail` is for a person, `code` is stable and for programs; some add facts."""

    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        # A serializer has an attribute "errors" of its own.
        sentences = serializers.ListField(child=serializers.CharField())
        told = ", ".join(f"`{code}`" for code in codes())
        return super().get_fields() | {
            "code": serializers.CharField(help_text=f"{told}, or `aws_…` and what AWS gave."),
            "errors": serializers.DictField(
                child=sentences, required=False, help_text="Of a 400: each wrong field, and why."
            ),
        }


class Schema(AutoSchema):
    """Gives each operation, new ones too, its summary and the refusals that can meet it."""

    def get_summary(self) -> str:
        """Say the first sentence of the view's description, or its name in words."""
        first = re.split(r"(?<=[.:;])\s", str(self.get_description()).strip())[0].rstrip(".:;")
        name = type(self.view).__name__.removesuffix("View")
        return first or re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize()

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        error = self.resolve_serializer(ErrorOut, "response").ref
        told = operation["responses"]
        # A refusal comes in the format that was asked for, where the answer would have.
        kinds = {kind for each in told.values() for kind in each.get("content", {})}
        content = {kind: {"schema": error} for kind in sorted(kinds | {"application/json"})}
        for status in sorted(self._refusals(operation) | {int(each) for each in told} - {200}):
            if status in REFUSALS:
                told[str(status)] = {"content": content, "description": REFUSALS[status]}
        operation["responses"] = dict(sorted(told.items()))
        return operation

    def _refusals(self, operation: dict[str, Any]) -> set[int]:
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
