"""Translation of botocore's exceptions to ours. No other module handles botocore's exceptions."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from django.conf import settings

from spot_optimizer.aws.client.deadline import Deadline, deadline_in_force
from spot_optimizer.errors import AwsRefused, AwsTimeout

UNREACHABLE = (
    boto.ConnectionError,
    boto.HTTPClientError,  # includes read timeouts and responses that break off
    boto.IncompleteReadError,
)
# Raised while reading a response that does not have the documented structure.
MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)

# Operations whose permission does not begin with "ec2:".
SERVICES = {
    "AssumeRole": "sts",
    "GetCallerIdentity": "sts",
    "GetObject": "s3",
    "GetProducts": "pricing",
}
ACCESS_DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "403"}
THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# Errors of AWS itself, whatever their HTTP status.
SERVER_ERRORS = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
}

CHECK_KEYS = (
    "AWS does not accept this pair of access key and secret key. "
    "Check both, and whether the key is active, then open a new session."
)
RENEW_KEYS = "These credentials have expired. Open a new session with fresh ones."
WRONG_SIGNATURE = (
    "The signature does not match: the secret key does not belong to the access key. "
    "Copy both again and open a new session."
)
MESSAGES = {
    "AuthFailure": CHECK_KEYS,
    "InvalidClientTokenId": CHECK_KEYS,
    "InvalidAccessKeyId": CHECK_KEYS,
    "UnrecognizedClientException": CHECK_KEYS,
    "IncompleteSignature": CHECK_KEYS,
    "MissingAuthenticationToken": CHECK_KEYS,
    "SignatureDoesNotMatch": WRONG_SIGNATURE,
    "InvalidSignatureException": WRONG_SIGNATURE,
    "ExpiredToken": RENEW_KEYS,
    "ExpiredTokenException": RENEW_KEYS,
    "RequestExpired": "AWS rejects the request as too old. Check this machine's clock, and "
    "whether the credentials have expired.",
    "OptInRequired": "This AWS account is not subscribed to the service or region. "
    "Enable it in the AWS console, or use another region.",
    "InvalidInstanceID.Malformed": "Not a valid instance ID. "
    "It looks like i-0123456789abcdef0; copy it from the EC2 console.",
    "InvalidInstanceID.NotFound": "This account has no instance with this ID in this region. "
    "Check the ID, the region and the keys.",
    "InvalidSpotInstanceRequestID.NotFound": "The instance's spot request no longer exists in AWS.",
}
# The credentials themselves are rejected: trying them again later cannot succeed.
CREDENTIAL_ERRORS = frozenset(
    code for code, text in MESSAGES.items() if text in (CHECK_KEYS, WRONG_SIGNATURE, RENEW_KEYS)
)


@contextmanager
def translated_errors(deadline: Deadline) -> Iterator[None]:
    """
    Translate the exceptions of calls to AWS, and of reading their responses, inside the context.

    The deadline is checked before each attempt of the client, retries included.

    :raises AwsRefused: AWS returned an error, or a malformed response
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    token = deadline_in_force.set(deadline)
    try:
        deadline.check()
        yield
    # Not chained: AWS repeats headers and botocore repeats parameters, which can be secrets.
    except boto.ClientError as error:
        raise refused(error) from None
    except UNREACHABLE as error:
        raise _unreachable(error) from None
    except (boto.BotoCoreError, ResponseParserError) as error:
        raise _invalid(error) from None
    except MALFORMED as error:
        raise _invalid(error) from error
    finally:
        deadline_in_force.reset(token)


def refused(error: boto.ClientError) -> AwsRefused:
    """Return our exception for an error response, with advice on what to do next."""
    code = code_of(error)
    is_server_error = code in SERVER_ERRORS or _status_of(error) >= 500
    message = _message(code, error.operation_name, is_server_error=is_server_error)
    return AwsRefused(message, aws_code=code)


def _status_of(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def code_of(error: boto.ClientError) -> str:
    """Return the error code of AWS, without characters that our own codes cannot contain."""
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    return re.sub(r"[^A-Za-z0-9._-]", "_", code)[:64]


def is_denial(code: str) -> bool:
    return code in ACCESS_DENIED


def permission_for(operation: str) -> str:
    return f"{SERVICES.get(operation, 'ec2')}:{operation}"


def _message(code: str, operation: str, *, is_server_error: bool) -> str:
    if is_denial(code):
        return (
            f"These credentials do not have the permission {permission_for(operation)}. Add it to "
            f"their IAM policy; the session's iam-policy lists all required permissions."
        )
    if code in THROTTLED:
        return f"AWS throttles {operation} for this account. Try again in a minute."
    if is_server_error and code not in MESSAGES:
        return f"{operation} failed inside AWS ({code}). Try again in a minute."
    return MESSAGES.get(
        code, f"AWS rejected {operation} with {code}. See its documentation for the reason."
    )


def _unreachable(error: Exception) -> AwsTimeout:
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        if settings.AWS_ENDPOINT_URL:
            return AwsTimeout(
                "The local AWS does not respond. Start it with manage.py quickstart and try again."
            )
        return AwsTimeout(
            "The AWS endpoint of this region cannot be reached. "
            "Check the region's name and this machine's network."
        )
    return AwsTimeout("AWS did not respond in time. Try again in a minute.")


def _invalid(error: Exception) -> AwsRefused:
    if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError):
        return AwsRefused(
            "These values are not valid parameters. Check the region, the IDs and the role.",
            aws_code="ValidationError",
        )
    return AwsRefused(
        "AWS sent a malformed response. Try again in a minute.",
        aws_code="UnreadableAnswer",
    )
