"""
A link that signs its user in, as a terminal shows it: signed, good once, for a few minutes.

Nothing is kept of it. It names the user's last log-in, so that the log-in by it spends it.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from accounts.models import User
from spot_optimizer.errors import Conflict, Missing

GOOD_FOR = timedelta(minutes=15)


class LinkUsed(Conflict):
    code = "link_spent"


def sign_in_token(user: User) -> str:
    return _signer().sign_object([str(user.pk), _last_login(user)])


def spend(token: str, *, now: datetime) -> User:
    """
    Return the user whom this link signs in; it works once.

    :raises Missing: this is production, where there are no such links
    :raises LinkUsed: it is none of ours, too old or spent, or its user signed in otherwise since
    """
    if settings.IS_PRODUCTION:
        raise Missing("There are no sign-in links here. Sign in with your password.")
    try:
        user_id, last_login = _signer().unsign_object(token, max_age=GOOD_FOR)
    except BadSignature:
        raise _spent() from None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or _last_login(user) != last_login:
        raise _spent()
    # Of two at once, one finds the row as it was.
    same = User.objects.filter(pk=user.pk, last_login=user.last_login)
    if not same.update(last_login=now):
        raise _spent()
    user.last_login = now
    return user


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="accounts.sign_in_links")


def _last_login(user: User) -> str | None:
    return user.last_login.isoformat() if user.last_login else None


def _spent() -> LinkUsed:
    return LinkUsed(
        "This sign-in link is used up or too old. Sign in with your password, or start the quick "
        "start again for a new link."
    )
