"""
One-time sign-in links, as the quick start prints them: signed, valid for a few minutes.

Nothing is stored. The token contains the time of the user's last sign-in, so that signing in, with
the link or otherwise, invalidates it.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from accounts.models import User
from spot_optimizer.errors import Conflict, Missing

VALID_FOR = timedelta(minutes=15)


class LinkUsed(Conflict):
    code = "link_spent"


def sign_in_token(user: User) -> str:
    return _signer().sign_object([str(user.pk), _last_login(user)])


def redeem(token: str, *, now: datetime) -> User:
    """
    Return the user whom this link signs in; it works once.

    :raises Missing: in production, where there are no sign-in links
    :raises LinkUsed: the token is invalid, expired or used, or its user has signed in since
    """
    if settings.IS_PRODUCTION:
        raise Missing("Sign-in links are not available. Sign in with your password.")
    try:
        user_id, last_login = _signer().unsign_object(token, max_age=VALID_FOR)
    except BadSignature:
        raise _used() from None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or _last_login(user) != last_login:
        raise _used()
    # Conditional: of two simultaneous requests, only one finds the row unchanged.
    unchanged = User.objects.filter(pk=user.pk, last_login=user.last_login)
    if not unchanged.update(last_login=now):
        raise _used()
    user.last_login = now
    return user


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="accounts.sign_in_links")


def _last_login(user: User) -> str | None:
    return user.last_login.isoformat() if user.last_login else None


def _used() -> LinkUsed:
    return LinkUsed(
        "This sign-in link is used or expired. Sign in with your password, or start the quick "
        "start again for a new link."
    )
