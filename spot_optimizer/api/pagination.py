"""Cursor pagination, newest first."""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from spot_optimizer import errors

if TYPE_CHECKING:
    from rest_framework.views import (
        APIView,  # importing it would import this module, from its settings
    )


class NewestFirst(CursorPagination):
    """Paginates by cursor, newest first; ``?limit=`` is 1 to 200."""

    ordering = ("-created_at", "-pk")
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def get_page_size(self, request: Any) -> int:
        return limit_of(request.query_params.get("limit"), default=50, most=200)

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        _check_cursor(request.query_params.get("cursor", ""))
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError) as error:
            raise _bad_cursor() from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1, "maximum": self.max_page_size}
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": url, "previous": url},
        }

    def decode_cursor(self, request: Any) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except exceptions.NotFound as error:
            raise _bad_cursor() from error
        position = cursor.position if cursor else None
        if position is not None and not _is_instant(str(position)):
            raise _bad_cursor()
        return cursor


def page_of(view: "APIView", rows: Any, serializer: type) -> Response:
    """Return a response with the requested page of ``rows``."""
    paginator = NewestFirst()
    page: Iterable = paginator.paginate_queryset(rows, view.request, view=view) or []
    context = {"request": view.request}
    return paginator.get_paginated_response(serializer(page, many=True, context=context).data)


def limit_of(text: str | None, *, default: int, most: int) -> int:
    """
    Parse ``?limit=``.

    :raises Invalid: it is not an integer from 1 to ``most``
    """
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        message = f"Use an integer from 1 to {most}."
        raise errors.Invalid("limit is not valid.", errors={"limit": [message]})
    return int(text)


def _is_instant(text: str) -> bool:
    instant = parse_datetime(text)
    # astimezone() raises OverflowError, handled by the caller, if the time has no UTC equivalent.
    return instant is not None and instant.tzinfo is not None and bool(instant.astimezone(UTC))


def _check_cursor(text: str) -> None:
    # DRF decodes leniently: an invalid cursor would silently return the first page.
    try:
        base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _bad_cursor() from error


def _bad_cursor() -> errors.Invalid:
    message = "Use the cursor from next or previous of another page, unchanged."
    return errors.Invalid("cursor is not valid.", errors={"cursor": [message]})
