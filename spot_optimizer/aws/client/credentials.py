"""The credentials with which calls to AWS are signed."""

from dataclasses import dataclass

from spot_optimizer.errors import AwsRefused


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's credentials for their own account. The repr shows four characters of the key."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    role_arn: str | None = None
    external_id: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(…{self.last4})"

    @property
    def last4(self) -> str:
        return self.access_key[-4:] if len(self.access_key) > 8 else ""


def signing_keys(
    access_key: str, secret_key: str, session_token: str | None
) -> dict[str, str | None]:
    """
    Return the keys as arguments of botocore's ``create_client``.

    :raises AwsRefused: a key is empty, or contains a character that no AWS key has
    """
    for text in (access_key, secret_key, session_token or "-"):
        # Keys are sent in HTTP headers: a line break would start another header.
        if not text or not all("!" <= character <= "~" for character in text):
            raise AwsRefused(
                "The AWS keys are empty or contain characters that no AWS key has. "
                "Copy them again and open a new session.",
                aws_code="InvalidClientTokenId",
            )
    return {
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret_key,
        "aws_session_token": session_token,
    }
