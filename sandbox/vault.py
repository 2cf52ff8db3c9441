"""Seals AWS credentials at rest. The first key of ENCRYPTION_KEY seals, each of them opens."""

import json
from dataclasses import asdict

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from sandbox.models import SandboxSession
from spot_optimizer.aws.session import Credentials
from spot_optimizer.errors import Conflict


class CredentialsGone(Conflict):
    code = "credentials_gone"


def seal(credentials: Credentials) -> bytes:
    return _fernet().encrypt(json.dumps(asdict(credentials)).encode())


def unseal(session: SandboxSession) -> Credentials:
    """
    Return the credentials of a session.

    :raises CredentialsGone: they are erased, or sealed with a key we no longer have
    """
    if session.sealed_credentials is None:
        raise CredentialsGone("The AWS credentials of this session are erased.")
    try:
        opened = _fernet().decrypt(bytes(session.sealed_credentials))
    except InvalidToken:
        raise CredentialsGone(
            "The AWS credentials of this session were sealed with a key that ENCRYPTION_KEY no "
            "longer lists. Put the old key back behind the new one."
        ) from None
    return Credentials(**json.loads(opened))


def reseal(sealed: bytes) -> bytes:
    """Seal again with the first key, without showing what is inside."""
    return _fernet().rotate(bytes(sealed))


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
