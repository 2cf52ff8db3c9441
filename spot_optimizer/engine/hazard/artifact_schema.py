"""The checks that every kind of model artifact has to pass: names and numbers, nothing else."""

from collections.abc import Mapping
from sys import float_info
from typing import Any


def check_feature_names(artifact: Mapping[str, Any], required: tuple[str, ...]) -> None:
    """
    Check the names of the features that an artifact lists, in any order.

    Parameters
    ----------
    artifact : mapping
    required : tuple of str

    Raises
    ------
    ValueError
        If they are not exactly the required ones.
    """
    names = artifact["features"]
    if not isinstance(names, list | tuple) or sorted(map(str, names)) != sorted(required):
        raise ValueError(f"features: must be {', '.join(required)}")


def check_keys(name: str, mapping: Any, required: tuple[str, ...]) -> None:
    """
    Check the keys of an object in an artifact.

    Parameters
    ----------
    name : str
        What the error message calls the object.
    mapping : object
    required : tuple of str

    Raises
    ------
    ValueError
        If ``mapping`` is not a mapping, or a key is missing or not required.
    """
    if not isinstance(mapping, Mapping) or set(mapping) != set(required):
        raise ValueError(f"{name}: must have {', '.join(required)} and nothing else")


def check_number(name: str, value: Any) -> float:
    """
    Return a number of an artifact as a float.

    Parameters
    ----------
    name : str
        What the error message calls the number.
    value : object

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the value is not a number, not finite, or too large for a float.
    """
    # bool is a subclass of int in Python, but JSON's true is not a number
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} is not a number")  # noqa: TRY004
    if not abs(value) <= float_info.max:
        raise ValueError(f"{name}: not finite, or too large")
    return float(value)
