"""
Serializers that are made once.

To build the fields of one takes DRF ten times as long as to use them.
"""

from typing import Any, TypeVar

from rest_framework.serializers import BaseSerializer

T = TypeVar("T", bound=BaseSerializer)


_made: dict[type[BaseSerializer], Any] = {}


def shared(serializer: type[T]) -> T:
    """Return the one of its class that has no data and no context, and belongs to all threads."""
    if serializer not in _made:
        _made[serializer] = serializer()
    made: T = _made[serializer]
    return made


def told(serializer: type[BaseSerializer], instance: Any) -> dict[str, Any]:
    """Return what the serializer says of an instance."""
    said: dict[str, Any] = shared(serializer).to_representation(instance)
    return said
