"""
Access keys: the long-term one of the demo user, and temporary ones.

Temporary keys are not stored: the signed session token contains the identity and the expiry, so
that it stays valid after a restart.
"""

import base64
import binascii
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from spot_optimizer.emulator.account import BASE32, Account
from spot_optimizer.emulator.services.wire import Caller


class UnknownKey(Exception):
    """The key is unknown, or its session token was not issued by this emulator."""


class ExpiredKey(Exception):
    """The temporary key has expired."""


def known_key(
    account: Account, access_key: str, token: str | None, now: datetime
) -> tuple[Caller, str]:
    """
    Return the identity of a key, and its secret.

    :raises UnknownKey: it is unknown, a long-term key with a token, or a temporary one without
    :raises ExpiredKey: it has expired
    """
    if token is None and access_key == account.access_key:
        return Caller(account.user_arn, account.user_id), account.secret_key
    if token is None:
        raise UnknownKey
    owner, expires, arn, user_id = _verified(account, token)
    if owner != access_key:
        raise UnknownKey
    if datetime.fromtimestamp(expires, UTC) <= now:
        raise ExpiredKey
    return Caller(arn, user_id), _signature(account, f"secret of {access_key}")[:40]


def temporary_key(account: Account, caller: Caller, expires: datetime) -> dict[str, Any]:
    """Return new credentials of ``caller``, in the format of STS."""
    access_key = "ASIA" + "".join(secrets.choice(BASE32) for _ in range(16))
    content = json.dumps([access_key, expires.timestamp(), *caller])
    text = base64.urlsafe_b64encode(content.encode()).decode()
    return {
        "AccessKeyId": access_key,
        "SecretAccessKey": _signature(account, f"secret of {access_key}")[:40],
        "SessionToken": f"{text}.{_signature(account, text)}",
        "Expiration": expires,
    }


def _verified(account: Account, token: str) -> tuple[str, float, str, str]:
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(account, text).encode()):
        raise UnknownKey
    try:
        owner, expires, arn, user_id = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError) as error:
        raise UnknownKey from error
    return owner, expires, arn, user_id


def _signature(account: Account, text: str) -> str:
    digest = hmac.digest(account.secret_key.encode(), text.encode(), "sha384")
    return base64.urlsafe_b64encode(digest).decode()
