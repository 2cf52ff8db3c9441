"""
Access and refresh tokens, encoded and decoded by SimpleJWT.

Both have the claims ``sub`` (user), ``sid`` (token family) and ``jti``; an access token also has
``role``. Whether they are revoked is stored in the family's row.
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
# Decoding an invalid token may raise any of these: a claim may have any type and size.
TOKEN_ERRORS = (
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
    """The result of a sign-in. Tokens are not stored and not part of ``repr``."""

    access: AccessToken = field(repr=False)
    refresh: RefreshToken = field(repr=False)
    user: User

    @property
    def expires_in(self) -> int:
        """The access token's lifetime. [s]"""
        return int(self.access["exp"] - self.access["iat"])


def issue_tokens(family: TokenFamily, *, now: datetime) -> Tokens:
    """Return an access token and the family's current refresh token."""
    refresh = _new(RefreshToken, family, now)
    refresh["jti"] = family.current_jti
    access = _new(AccessToken, family, now)
    access["role"] = family.user.role
    return Tokens(access, refresh, family.user)


def decode(kind: type[T], text: str | bytes) -> T:
    """
    Verify a token's signature, type and expiry; its family may be revoked.

    :raises TokenExpired: it has expired
    :raises TokenInvalid: it is not valid, or not of this type
    """
    try:
        token = kind(text)  # type: ignore[arg-type]
        UUID(token["sub"]), UUID(token["sid"]), UUID(token["jti"])
    except ExpiredTokenError as error:
        raise TokenExpired("This token has expired. Refresh it or sign in again.") from error
    except TOKEN_ERRORS as error:
        raise TokenInvalid("This token is not valid. Please sign in again.") from error
    return token


def expires_at(token: Token) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)


def _new(kind: type[T], family: TokenFamily, now: datetime) -> T:
    token = kind()
    token.set_iat(at_time=now)
    token.set_exp(from_time=now)
    token["sub"] = str(family.user_id)
    token["sid"] = str(family.pk)
    return token
