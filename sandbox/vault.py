"""Seals AWS credentials at rest. The first key of ENCRYPTION_KEY seals, each of them opens."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from sandbox.models import SandboxSession
from spot_optimizer.aws.credentials import Credentials
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
    with _known_key():
        return Credentials(**json.loads(_fernet().decrypt(_sealed(session))))


def reseal(session: SandboxSession) -> bytes:
    """
    Return them sealed with the first key, without showing what is inside.

    :raises CredentialsGone: they are erased, or sealed with a key we no longer have
    """
    with _known_key():
        return _fernet().rotate(_sealed(session))


def _sealed(session: SandboxSession) -> bytes:
    if session.sealed_credentials is None:
        raise CredentialsGone("The AWS credentials of this session are erased.")
    return bytes(session.sealed_credentials)


@contextmanager
def _known_key() -> Iterator[None]:
    try:
        yield
    except InvalidToken:
        raise CredentialsGone(
            "The AWS credentials of this session were sealed with a key that ENCRYPTION_KEY no "
            "longer lists. Put the old key back behind the new one."
        ) from None


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
