"""The filters and pages of Describe calls."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from spot_optimizer.emulator.services.wire import AwsError

LARGEST_IN_TOKEN = 1e11  # tokens hold offsets and times in seconds

T = TypeVar("T")
Values = Callable[[T], Any]


def matching(
    items: Iterable[T], parameters: Mapping[str, Any], filters: Mapping[str, Values[T]]
) -> list[T]:
    """
    Return the items that match every filter of the call; ``*`` and ``?`` are wildcards.

    :raises AwsError: a filter is not in ``filters``
    """
    params = parameters.get("Filters") or []
    for wanted in params:
        if wanted.get("Name") not in filters:
            sentence = f"The filter '{wanted.get('Name')}' is invalid"
            raise AwsError("InvalidParameterValue", sentence)
    return [
        item
        for item in items
        if all(_meets(filters[f["Name"]](item), f.get("Values", [])) for f in params)
    ]


def _meets(found: Any, wanted: Sequence[str]) -> bool:
    values = found if isinstance(found, list | tuple) else [found]
    texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
    return any(fnmatchcase(text, pattern) for text in texts for pattern in wanted)


def page(
    items: Sequence[T], parameters: Mapping[str, Any], *, largest: int
) -> tuple[Sequence[T], str]:
    """
    Return the requested page and the token of the next one, "" after the last.

    :raises AwsError: the token or the page size is invalid
    """
    start = int(read_token(parameters.get("NextToken")).get("offset", 0))
    end = start + page_size(parameters, largest=largest)
    return items[start:end], write_token(offset=end) if end < len(items) else ""


def page_size(parameters: Mapping[str, Any], *, largest: int) -> int:
    """:raises AwsError: ``MaxResults`` is less than 1"""
    size = parameters.get("MaxResults")
    if size is not None and size < 1:
        raise AwsError("InvalidParameterValue", f"The value {size} of MaxResults is invalid.")
    return min(size or largest, largest)


def write_token(**state: float) -> str:
    return base64.urlsafe_b64encode(json.dumps(state).encode()).decode()


def read_token(token: str | None) -> dict[str, float]:
    """:raises AwsError: the token is invalid"""
    if not token:
        return {}
    try:
        read = json.loads(base64.urlsafe_b64decode(token))
        state = {name: float(number) for name, number in read.items()}
    except (binascii.Error, ValueError, AttributeError, TypeError) as error:
        raise AwsError("InvalidNextToken", "The token is not valid.") from error
    if not all(0 <= number < LARGEST_IN_TOKEN for number in state.values()):
        raise AwsError("InvalidNextToken", "The token is not valid.")
    return state
