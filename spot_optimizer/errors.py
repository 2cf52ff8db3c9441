"""
How the domain says no.

A refusal is raised as a subclass of one of these kinds, defined in the module that raises it. Only
`spot_optimizer.api.exceptions` knows their HTTP numbers, only `sandbox.consumers` their close
codes.
"""

from typing import ClassVar


class DomainError(Exception):
    """A refusal: its message is a sentence for the user, its ``code`` is for programs."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


class Invalid(DomainError):
    """The input makes no sense; ``errors`` says which fields, and why."""

    code = "invalid"

    def __init__(self, message: str, *, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors


class Unauthenticated(DomainError):
    """We do not know who this is."""

    code = "not_authenticated"


class Forbidden(DomainError):
    """We know who this is, and they may not."""

    code = "role_required"


class Missing(DomainError):
    """It is not there, or not theirs: nobody may tell the two apart."""

    code = "not_found"


class Conflict(DomainError):
    """The object's state forbids it."""

    code = "conflict"


class LimitReached(DomainError):
    """They have as many as allowed, or ask too often; ``retry_after`` is in seconds."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int = 60, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class AwsRefused(DomainError):
    """AWS answered with an error; ``aws_code`` is the code it gave."""

    def __init__(self, message: str, *, aws_code: str) -> None:
        super().__init__(message)
        self.aws_code = aws_code
        self.code = f"aws_{aws_code}"  # type: ignore[misc]  # AWS names it


class AwsTimeout(DomainError):
    """AWS did not answer in time."""

    code = "aws_timeout"


class Unavailable(DomainError):
    """A part of the platform is down."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
