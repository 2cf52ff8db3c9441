"""
Exceptions that a client may cause or has to handle, in a few kinds.

Raise a subclass of one of these, defined in the module that raises it. Only
`spot_optimizer.api.exceptions` maps them to HTTP status codes, and only `sandbox.consumers` to
WebSocket close codes.
"""

from typing import ClassVar


class DomainError(Exception):
    """
    An anticipated error: its message is for the user, its ``code`` for programs.

    ``extra`` becomes further fields of the error response.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **extra: object) -> None:
        super().__init__(message)
        self.extra = extra


class Invalid(DomainError):
    """The input is not valid; ``errors`` has the messages for each field."""

    code = "invalid"

    def __init__(self, message: str, *, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors


class Unauthenticated(DomainError):
    """The credentials are missing or not valid."""

    code = "not_authenticated"


class Forbidden(DomainError):
    """The user is authenticated but not authorized."""

    code = "role_required"


class Missing(DomainError):
    """The object does not exist or belongs to another user: the response is the same."""

    code = "not_found"


class Conflict(DomainError):
    """The object's state does not allow the operation."""

    code = "conflict"


class LimitExceeded(DomainError):
    """A quota or rate limit is exceeded; ``retry_after`` is in seconds."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int = 60, **extra: object) -> None:
        super().__init__(message, **extra)
        self.retry_after = retry_after


class AwsRefused(DomainError):
    """AWS returned an error; ``aws_code`` is AWS's error code."""

    def __init__(self, message: str, *, aws_code: str) -> None:
        super().__init__(message)
        self.aws_code = aws_code
        self.code = f"aws_{aws_code}"  # type: ignore[misc]  # differs for each AWS error


class AwsTimeout(DomainError):
    """AWS did not answer in time."""

    code = "aws_timeout"


class Unavailable(DomainError):
    """A part of the platform is down."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
