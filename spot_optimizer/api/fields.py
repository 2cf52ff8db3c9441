"""Serializer fields that validate more strictly than those of DRF."""

import math
from ipaddress import ip_address, ip_network
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from rest_framework import serializers

from spot_optimizer.aws.client.access import REGION

BLOCKED_HOSTS = {"localhost", "instance-data", "metadata", "metadata.google.internal"}
BLOCKED_DOMAINS = (".localhost", ".local", ".localdomain", ".arpa")
# Private networks are allowed, because instances are in them. Blocked are IPv6 ranges that map to
# IPv4, "this network" (0.0.0.0/8) and the metadata services of cloud providers.
BLOCKED_NETWORKS = [
    ip_network(network)
    for network in ("0.0.0.0/8", "100.100.100.200/32", "fd00:ec2::/32", "64:ff9b::/96", "2002::/16")
]


class FiniteFloat(serializers.FloatField):
    """A finite number. DRF's own field also accepts "nan", "inf" and booleans."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:  # an integer with hundreds of digits
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
    """A region code. It becomes part of a host name, so nothing else is accepted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            rf"\A{REGION.pattern}\Z",
            max_length=32,
            error_messages={"invalid": "Enter a region code, such as us-east-1."},
            **options,
        )


class HealthUrlField(serializers.URLField):
    """
    The URL of a health check on the user's instance, which the platform will request.

    Host names and addresses of the platform's own network are rejected here, to prevent SSRF. Names
    are resolved only when the health check runs; the result must be an address of the instance.
    """

    default_error_messages = {
        "scheme": "Enter a URL that begins with http:// or https://.",
        "login": "Remove the user name and password from the URL.",
        "ascii": "Use the ASCII form of the host name (xn--…).",
        "blocked": "Use an address of the instance, not of the platform's own network.",
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
        if host in BLOCKED_HOSTS or host.endswith(BLOCKED_DOMAINS) or _is_blocked(host):
            self.fail("blocked")

    def _check_port(self, parts: SplitResult) -> None:
        try:
            parts.port  # noqa: B018  # reading it validates it
        except ValueError:
            self.fail("invalid")


def _is_blocked(host: str) -> bool:
    """Whether it is a literal address of this host, its link or a metadata service."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    is_unroutable = address.is_unspecified or address.is_multicast or address.is_reserved
    is_local = address.is_loopback or address.is_link_local
    return is_local or is_unroutable or any(address in network for network in BLOCKED_NETWORKS)


class Id(serializers.UUIDField):
    """A UUID in its canonical form. DRF's own field also accepts integers and booleans."""

    default_error_messages = {
        "invalid": "Enter an ID such as 2f1c9d1e-5a6b-4c7d-8e9f-0a1b2c3d4e5f."
    }

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        value: UUID = super().to_internal_value(data)
        if str(value) != data.lower():
            self.fail("invalid")
        return value


class Choice(serializers.ChoiceField):
    """One of a few values. The error does not repeat the input, which may be a secret."""

    default_error_messages = {"invalid_choice": "Use one of: {choices}."}

    def fail(self, key: str, **values: Any) -> NoReturn:
        super().fail(key, choices=", ".join(map(str, self.choices)), **values)


class WholeNumber(serializers.IntegerField):
    """An integer. DRF's own field also accepts digits other than ASCII."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not data.isascii():
            self.fail("invalid")
        return int(super().to_internal_value(data))
