"""Parse and validate request bodies: JSON in UTF-8, of limited size and depth."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from json import JSONDecodeError
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.serializers import Serializer

MAX_DEPTH = 64  # levels


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than 1 MiB. Send a smaller one."
    default_code = "too_large"


def validated(serializer: type[Serializer], body: Any, **context: Any) -> dict[str, Any]:
    """
    Return the validated fields of a request's body.

    :raises ValidationError: of DRF's, with messages for each invalid field
    """
    bound = serializer(data=body, context=context)
    bound.is_valid(raise_exception=True)
    fields: dict[str, Any] = bound.validated_data
    return fields


class BoundedJSONParser(JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Parse one JSON value as UTF-8, whatever charset the Content-Type names.

        :raises TooLarge: the body is longer than ``DATA_UPLOAD_MAX_MEMORY_SIZE``
        :raises ParseError: it is not JSON, or nested more than ``MAX_DEPTH`` levels deep
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        text = stream.read(limit + 1)
        if len(text) > limit:
            raise TooLarge
        context = {**(parser_context or {}), "encoding": "utf-8"}
        try:
            value = super().parse(BytesIO(text), media_type, context)
        except RecursionError as error:
            raise _too_deep() from error
        except ParseError as error:
            raise _not_json(error.__context__) from error
        if _is_too_deep(value):
            raise _too_deep()
        if b"\\u" in text and not _is_encodable(value):
            raise ParseError("The JSON contains an unpaired surrogate. Send complete characters.")
        return value


def _not_json(reason: BaseException | None) -> ParseError:
    if isinstance(reason, JSONDecodeError):
        position = f"line {reason.lineno}, column {reason.colno}"
        return ParseError(f"The body is not valid JSON: {reason.msg} at {position}.")
    return ParseError("The body is not JSON in UTF-8, or contains NaN or Infinity.")


def _too_deep() -> ParseError:
    return ParseError(f"The JSON is nested more than {MAX_DEPTH} levels deep. Send it flatter.")


def _is_encodable(value: Any) -> bool:
    """Whether UTF-8 can encode all of it: an unpaired surrogate cannot be stored or sent."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
