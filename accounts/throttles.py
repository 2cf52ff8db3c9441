"""
How often somebody may ask.

Counted in Django's cache, in windows that begin with the first request. Counting is one atomic
step, so simultaneous requests do not share a place.
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
from spot_optimizer.errors import Unavailable

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports this file

logger = logging.getLogger(__name__)

PERIODS = {"s": 1, "min": 60, "h": 3600, "d": 86400}  # [s]


def seconds_to_wait(scope: str, who: str, rate: str) -> int:
    """
    Count one request of ``who``; return how long until the next one is allowed, 0 for this one.

    ``rate`` is written as ``10/min``.
    """
    most, period = int(rate.split("/")[0]), PERIODS[rate.split("/")[1]]
    hits = hit(f"throttle:{scope}:{sha256(who.encode()).hexdigest()}", period)
    return 0 if hits.so_far <= most else max(1, ceil(hits.ends_in))


def login_wait(request: HttpRequest | Request, email: object) -> int:
    """
    Count one attempt at a password; return how long until the next one is allowed. [s]

    :raises Unavailable: we cannot count
    """
    try:
        waits = [seconds_to_wait("address", address_of(request), settings.THROTTLE_LOGIN_ADDRESS)]
        if isinstance(email, str):
            account = email.strip().lower()
            waits.append(seconds_to_wait("account", account, settings.THROTTLE_LOGIN))
    except (RedisError, OSError) as error:
        raise Unavailable("Log-in is not possible right now. Try again in a moment.") from error
    return max(waits)


def register_wait(request: HttpRequest | Request) -> int:
    """
    Count one registration; return how long until the next one is allowed. [s]

    :raises Unavailable: we cannot count
    """
    try:
        return seconds_to_wait("register", address_of(request), settings.THROTTLE_REGISTER)
    except (RedisError, OSError) as error:
        raise Unavailable("We cannot register you now. Try again in a moment.") from error


def address_of(request: HttpRequest | Request) -> str:
    """Return the client's address: what the outermost of NUM_PROXIES saw, not what clients say."""
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
        """Count this request; return how long to wait, 0 if it may pass. [s]"""


class ApiThrottle(CountingThrottle):
    """Everything, per user or, signed out, per address. Without a cache all may pass."""

    def count(self, request: Request) -> int:
        user = request.user
        who = f"user {user.pk}" if user.is_authenticated else f"address {address_of(request)}"
        try:
            return seconds_to_wait("api", who, settings.THROTTLE_API)
        except (RedisError, OSError):
            logger.warning("the cache is away, requests are not counted", exc_info=True)
            return 0


class RegisterThrottle(CountingThrottle):
    def count(self, request: Request) -> int:
        return register_wait(request)


class LoginThrottle(CountingThrottle):
    """Guesses at a password, per account and per address."""

    def count(self, request: Request) -> int:
        body = request.data
        return login_wait(request, body.get("email") if isinstance(body, dict) else None)


class PasswordThrottle(CountingThrottle):
    """Guesses at the current password, by whoever holds an access token."""

    def count(self, request: Request) -> int:
        return login_wait(request, getattr(request.user, "email", None))
