"""Fields that take what they say and nothing that looks like it."""

import math
from typing import Any

from rest_framework import serializers


class FiniteFloat(serializers.FloatField):
    """A number: DRF's own also takes "nan" and "inf", and true for 1."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:  # a whole number of hundreds of digits
            value = math.inf
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class StrictBoolean(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class RegionField(serializers.RegexField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            r"\A[a-z0-9]+(-[a-z0-9]+)+\Z",
            max_length=32,
            error_messages={"invalid": "Give a region's code, such as us-east-1."},
            **options,
        )


class WholeNumber(serializers.IntegerField):
    """A whole number: DRF's own also takes the digits of every script."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not data.isascii():
            self.fail("invalid")
        return int(super().to_internal_value(data))
