"""Fields that take what they say and nothing that looks like it."""

import math
from ipaddress import ip_address, ip_network
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from rest_framework import serializers

from spot_optimizer.aws.clients import REGION

OUR_NAMES = {"localhost", "instance-data", "metadata", "metadata.google.internal"}
OUR_DOMAINS = (".localhost", ".local", ".localdomain", ".arpa")
# Private networks stay allowed, an instance lives in one; but not what leads from IPv6 into IPv4,
# this host's own network, and the metadata service of EC2.
OUR_NETWORKS = [
    ip_network(each)
    for each in ("0.0.0.0/8", "100.100.100.200/32", "fd00:ec2::/32", "64:ff9b::/96", "2002::/16")
]


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
    """A region's code. It becomes part of a host name, so nothing else may get so far."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            rf"\A{REGION.pattern}\Z",
            max_length=32,
            error_messages={"invalid": "Give a region's code, such as us-east-1."},
            **options,
        )


class HealthUrlField(serializers.URLField):
    """
    A page of the user's instance, which the platform will ask: no way into our own network.

    Names and addresses that are ours as written are refused here. What a name resolves to only
    counts when it is asked, and must then be an address of the instance.
    """

    default_error_messages = {
        "scheme": "Write a URL that begins with http:// or https://.",
        "login": "Leave user name and password out of the URL.",
        "ascii": "Write the host in its ASCII form (xn--…).",
        "ours": "Give an address of the instance itself, none of the platform's own network.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        parts = urlsplit(value)
        self._check_port(parts)
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme.lower() not in ("http", "https"):
            self.fail("scheme")
        if "@" in parts.netloc:
            self.fail("login")
        if not host.isascii():
            self.fail("ascii")
        if host in OUR_NAMES or host.endswith(OUR_DOMAINS) or _is_ours(host):
            self.fail("ours")

    def _check_port(self, parts: SplitResult) -> None:
        try:
            parts.port  # noqa: B018  # it is read, and judged, when asked for
        except ValueError:
            self.fail("invalid")


def _is_ours(host: str) -> bool:
    """Whether it is a literal address of this machine, this link or the metadata service."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    is_nowhere = address.is_unspecified or address.is_multicast or address.is_reserved
    is_near = address.is_loopback or address.is_link_local
    return is_near or is_nowhere or any(address in network for network in OUR_NETWORKS)


class Id(serializers.UUIDField):
    """A UUID as we write it: DRF's own takes numbers, and true for the one with 1 at its end."""

    default_error_messages = {"invalid": "Give an id such as 2f1c9d1e-5a6b-4c7d-8e9f-0a1b2c3d4e5f."}

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        found: UUID = super().to_internal_value(data)
        if str(found) != data.lower():
            self.fail("invalid")
        return found


class Choice(serializers.ChoiceField):
    """One of a few words. What came instead is not repeated: it may be a secret, misplaced."""

    default_error_messages = {"invalid_choice": "Give one of: {choices}."}

    def fail(self, key: str, **facts: Any) -> NoReturn:
        super().fail(key, choices=", ".join(str(each) for each in self.choices), **facts)


class WholeNumber(serializers.IntegerField):
    """A whole number: DRF's own also takes the digits of every script."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not data.isascii():
            self.fail("invalid")
        return int(super().to_internal_value(data))
