"""The checks that every kind of model artifact passes: names, numbers, and nothing else."""

from collections.abc import Mapping
from sys import float_info
from typing import Any


def check_features(artifact: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    """
    Check the names of the features an artifact says it needs; their order means nothing.

    :raises ValueError: if they are not exactly the ``wanted`` ones
    """
    names = artifact["features"]
    if not isinstance(names, list | tuple) or sorted(map(str, names)) != sorted(wanted):
        raise ValueError(f"features: must be {', '.join(wanted)}")


def exactly(name: str, mapping: Any, wanted: tuple[str, ...]) -> None:
    """
    Check the keys of an object called ``name``.

    :raises ValueError: if it is none, or one is missing or too many
    """
    if not isinstance(mapping, Mapping) or set(mapping) != set(wanted):
        raise ValueError(f"{name}: must have {', '.join(wanted)} and nothing else")


def number(name: str, value: Any) -> float:
    """
    Return a number of an artifact.

    :raises ValueError: if it is none, not finite, or too large for a float
    """
    # bool is an int to Python, but "true" is no number to whoever wrote the artifact
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} is not a number")  # noqa: TRY004
    if not abs(value) <= float_info.max:
        raise ValueError(f"{name}: not finite, or too large")
    return float(value)
