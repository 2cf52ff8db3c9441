"""What somebody sends to open a session, by the API or by a form, becomes one here."""

from datetime import datetime
from typing import Any

from accounts.models import User
from sandbox.api.serializers import SessionIn
from sandbox.models import SandboxSession
from sandbox.services import open_session
from spot_optimizer.api.parsers import validated
from spot_optimizer.aws.credentials import Credentials

AWS_FIELDS = {
    "aws_access_key": "access_key",
    "aws_secret_key": "secret_key",
    "aws_session_token": "session_token",
    "role_arn": "role_arn",
    "external_id": "external_id",
}


def open_from(body: Any, *, user: User, now: datetime) -> SandboxSession:
    """
    Open the session that ``body`` describes.

    :raises ValidationError: of DRF's; it names the fields that are wrong
    :raises DomainError: as ``open_session`` says it
    """
    fields = validated(SessionIn, body)
    keys = {name: fields.pop(old, None) for old, name in AWS_FIELDS.items()}
    return open_session(user=user, credentials=Credentials(**keys), now=now, **fields)
