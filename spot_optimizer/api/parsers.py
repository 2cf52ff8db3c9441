"""How a body is read: JSON in UTF-8, of bounded length and depth."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from json import JSONDecodeError
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

DEEPEST = 64  # levels


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than 1 MiB. Send less."
    default_code = "too_large"


class BoundedJSONParser(JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Read one JSON value, whatever charset the client claims.

        :raises TooLarge: it is longer than ``DATA_UPLOAD_MAX_MEMORY_SIZE``
        :raises ParseError: it is not JSON, or nested too deeply for us
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
        if _is_deep(value):
            raise _too_deep()
        if b"\\u" in text and not _is_text(value):
            raise ParseError("The JSON holds half of a surrogate pair. Send whole characters.")
        return value


def _not_json(reason: BaseException | None) -> ParseError:
    if isinstance(reason, JSONDecodeError):
        where = f"line {reason.lineno}, column {reason.colno}"
        return ParseError(f"The body is not JSON: {reason.msg} at {where}.")
    return ParseError("The body is not JSON in UTF-8, or holds a number that JSON has not.")


def _too_deep() -> ParseError:
    return ParseError(f"The JSON is nested more than {DEEPEST} levels deep. Send it flatter.")


def _is_text(value: Any) -> bool:
    """Whether all of it can be stored, sent and hashed: half of a surrogate pair cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
