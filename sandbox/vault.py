"""Encrypts AWS credentials at rest: with the first key of ENCRYPTION_KEY; any key decrypts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from sandbox.models import SandboxSession
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.errors import Conflict


class CredentialsGone(Conflict):
    code = "credentials_gone"


def seal(credentials: Credentials) -> bytes:
    return _fernet().encrypt(json.dumps(asdict(credentials)).encode())


def unseal(session: SandboxSession) -> Credentials:
    """
    Return the credentials of a session.

    :raises CredentialsGone: they are erased, or encrypted with a key that is no longer listed
    """
    with _known_key():
        return Credentials(**json.loads(_fernet().decrypt(_sealed(session))))


def reseal(session: SandboxSession) -> bytes:
    """
    Return the credentials encrypted with the first key.

    :raises CredentialsGone: they are erased, or encrypted with a key that is no longer listed
    """
    with _known_key():
        return _fernet().rotate(_sealed(session))


def _sealed(session: SandboxSession) -> bytes:
    if session.sealed_credentials is None:
        raise CredentialsGone("The AWS credentials of this session have been erased.")
    return bytes(session.sealed_credentials)


@contextmanager
def _known_key() -> Iterator[None]:
    try:
        yield
    except InvalidToken:
        raise CredentialsGone(
            "The AWS credentials of this session are encrypted with a key that ENCRYPTION_KEY no "
            "longer lists. Add the old key after the new one."
        ) from None


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
