"""
Throttles of log-in, registration and the API.

Requests are counted in Django's cache, in fixed windows that begin with the first request. The
increment is atomic, so simultaneous requests are all counted.
"""

import logging
from abc import ABC, abstractmethod
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.rate_limits import hit
from spot_optimizer.errors import LimitExceeded, Unavailable

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports this module for its settings

logger = logging.getLogger(__name__)

PERIODS = {"s": 1, "min": 60, "h": 3600, "d": 86400}  # [s]


def seconds_to_wait(scope: str, client: str, rate: str) -> int:
    """
    Count one request; return the seconds until the next one is allowed, 0 if this one is.

    ``rate`` has the form ``10/min``.
    """
    limit, period = int(rate.split("/")[0]), PERIODS[rate.split("/")[1]]
    hits = hit(f"throttle:{scope}:{sha256(client.encode()).hexdigest()}", period)
    return 0 if hits.so_far <= limit else max(1, ceil(hits.ends_in))


def login_wait(request: HttpRequest | Request, email: object) -> int:
    """
    Count one sign-in attempt; return how long until the next one is allowed. [s]

    :raises Unavailable: the cache is down
    """
    try:
        waits = [seconds_to_wait("address", address_of(request), settings.THROTTLE_LOGIN_ADDRESS)]
        if isinstance(email, str):
            account = email.strip().lower()
            waits.append(seconds_to_wait("account", account, settings.THROTTLE_LOGIN))
    except (RedisError, OSError) as error:
        raise Unavailable("Sign-in is temporarily unavailable. Try again in a moment.") from error
    return max(waits)


def register_wait(request: HttpRequest | Request) -> int:
    """
    Count one registration; return how long until the next one is allowed. [s]

    :raises Unavailable: the cache is down
    """
    try:
        return seconds_to_wait("register", address_of(request), settings.THROTTLE_REGISTER)
    except (RedisError, OSError) as error:
        raise Unavailable("Registration is temporarily unavailable. Try again soon.") from error


def enforce(wait: int) -> None:
    """
    Reject the request if the next one is allowed only after ``wait`` seconds.

    :raises LimitExceeded: ``wait`` is not 0
    """
    if wait:
        raise LimitExceeded(f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)


def address_of(request: HttpRequest | Request) -> str:
    """Return the address that the outermost of NUM_PROXIES saw; clients can forge the others."""
    return str(BaseThrottle().get_ident(request) or "")  # type: ignore[arg-type]


class CountingThrottle(ABC, BaseThrottle):
    seconds: int = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self.seconds = self.count(request)
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds

    @abstractmethod
    def count(self, request: Request) -> int:
        """Count this request; return how long to wait, 0 if it is allowed. [s]"""


class ApiThrottle(CountingThrottle):
    """All requests, per user or per address if anonymous. Not enforced while the cache is down."""

    def count(self, request: Request) -> int:
        user = request.user
        client = f"user {user.pk}" if user.is_authenticated else f"address {address_of(request)}"
        try:
            return seconds_to_wait("api", client, settings.THROTTLE_API)
        except (RedisError, OSError):
            logger.warning("cache unavailable, requests are not rate limited", exc_info=True)
            return 0


class RegisterThrottle(CountingThrottle):
    def count(self, request: Request) -> int:
        return register_wait(request)


class LoginThrottle(CountingThrottle):
    """Sign-in attempts, per account and per address."""

    def count(self, request: Request) -> int:
        body = request.data
        return login_wait(request, body.get("email") if isinstance(body, dict) else None)


class PasswordThrottle(CountingThrottle):
    """Attempts to change the password, which an access token alone does not authorize."""

    def count(self, request: Request) -> int:
        return login_wait(request, getattr(request.user, "email", None))
