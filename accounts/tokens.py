"""
The two tokens of a log-in, as SimpleJWT makes and reads them.

An access token names its user (``sub``), role, family (``sid``) and itself (``jti``); so does a
refresh token, but for the role. Whether they still count, the family's row says.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import TokenFamily, User
from spot_optimizer.errors import Unauthenticated

T = TypeVar("T", bound=Token)
# What reading raises for a token that is none of ours: a claim may be of any type and size.
WRONG = (
    TokenError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    OSError,
    RecursionError,
)


class TokenInvalid(Unauthenticated):
    code = "token_invalid"


class TokenExpired(Unauthenticated):
    code = "token_expired"


class TokenRevoked(Unauthenticated):
    code = "token_revoked"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a log-in gives. The tokens are stored nowhere and show in no ``repr``."""

    access: AccessToken = field(repr=False)
    refresh: RefreshToken = field(repr=False)
    user: User

    @property
    def expires_in(self) -> int:
        """Return how long the access token lives. [s]"""
        return int(self.access["exp"] - self.access["iat"])


def tokens_of(family: TokenFamily, *, now: datetime) -> Tokens:
    """Make an access token and the refresh token that the family holds as its current one."""
    refresh = _new(RefreshToken, family, now)
    refresh["jti"] = family.current_jti
    access = _new(AccessToken, family, now)
    access["role"] = family.user.role
    return Tokens(access, refresh, family.user)


def read(kind: type[T], text: str | bytes) -> T:
    """
    Read a token of ours: signed with our key, of this kind, valid now.

    Says nothing of the family: it may be revoked.

    :raises TokenExpired: it was good once
    :raises TokenInvalid: it is none of ours, or not of this kind
    """
    try:
        token = kind(text)  # type: ignore[arg-type]
        UUID(token["sub"]), UUID(token["sid"]), UUID(token["jti"])
    except ExpiredTokenError as error:
        raise TokenExpired("This token has expired. Refresh it or sign in again.") from error
    except WRONG as error:
        raise TokenInvalid("This token is not valid. Please sign in again.") from error
    return token


def expiry_of(token: Token) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)


def _new(kind: type[T], family: TokenFamily, now: datetime) -> T:
    token = kind()
    token.set_iat(at_time=now)
    token.set_exp(from_time=now)
    token["sub"] = str(family.user_id)
    token["sid"] = str(family.pk)
    return token
