"""What AWS and botocore raise, as refusals of ours. No other module knows botocore's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from django.conf import settings

from spot_optimizer.aws.deadline import Deadline, deadline_in_force
from spot_optimizer.errors import AwsRefused, AwsTimeout

UNREACHABLE = (
    boto.ConnectionError,
    boto.HTTPClientError,  # among them: no answer in time, and one that breaks off
    boto.IncompleteReadError,
)
# What reading an answer raises which is not what AWS promises.
NONSENSE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)

# Of the services we call, those whose permissions do not begin with "ec2:".
SERVICES = {
    "AssumeRole": "sts",
    "GetCallerIdentity": "sts",
    "GetObject": "s3",
    "GetProducts": "pricing",
}
DENIALS = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "403"}
THROTTLES = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# AWS's own trouble, whatever the status they come with.
TROUBLES = {
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
RENEW = "These credentials have expired. Open a new session with fresh ones."
OTHER_SIGNATURE = (
    "AWS computed another signature: the secret key does not belong to the access key. "
    "Copy both again and open a new session."
)
SENTENCES = {
    "AuthFailure": CHECK_KEYS,
    "InvalidClientTokenId": CHECK_KEYS,
    "InvalidAccessKeyId": CHECK_KEYS,
    "UnrecognizedClientException": CHECK_KEYS,
    "IncompleteSignature": CHECK_KEYS,
    "MissingAuthenticationToken": CHECK_KEYS,
    "SignatureDoesNotMatch": OTHER_SIGNATURE,
    "InvalidSignatureException": OTHER_SIGNATURE,
    "ExpiredToken": RENEW,
    "ExpiredTokenException": RENEW,
    "RequestExpired": "AWS says that this request is too old. Check this machine's clock, and "
    "whether the credentials have expired.",
    "OptInRequired": "This AWS account is not subscribed to the service or region. "
    "Enable it in the AWS console, or use another region.",
    "InvalidInstanceID.Malformed": "AWS says that this is no instance id. "
    "It looks like i-0123456789abcdef0; copy it from the EC2 console.",
    "InvalidInstanceID.NotFound": "There is no instance of this id in this account and region. "
    "Check the id, the region and whose keys these are.",
    "InvalidSpotInstanceRequestID.NotFound": "AWS no longer knows the instance's spot request.",
}
# The credentials themselves are at fault: the same ones will not do later either.
CREDENTIAL_ERRORS = frozenset(
    code for code, told in SENTENCES.items() if told in (CHECK_KEYS, OTHER_SIGNATURE, RENEW)
)


@contextmanager
def translated_errors(deadline: Deadline) -> Iterator[None]:
    """
    Call AWS and read its answer in here. The client's retries keep to ``deadline`` too.

    :raises AwsRefused: AWS answered with an error, or with something that makes no sense
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    token = deadline_in_force.set(deadline)
    try:
        deadline.check()
        yield
    # These causes are not chained: AWS repeats headers, and botocore parameters, in its messages.
    except boto.ClientError as error:
        raise refused(error) from None
    except UNREACHABLE as error:
        raise _unreachable(error) from None
    except (boto.BotoCoreError, ResponseParserError) as error:
        raise _unusable(error) from None
    except NONSENSE as error:
        raise _unusable(error) from error
    finally:
        deadline_in_force.reset(token)


def refused(error: boto.ClientError) -> AwsRefused:
    """Return the refusal that says what AWS said, and what to do next."""
    code = code_of(error)
    is_trouble = code in TROUBLES or _status_of(error) >= 500
    return AwsRefused(_sentence(code, error.operation_name, is_trouble=is_trouble), aws_code=code)


def _status_of(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def code_of(error: boto.ClientError) -> str:
    """Return AWS's code, fit to be part of ours."""
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    return re.sub(r"[^A-Za-z0-9._-]", "_", code)[:64]


def is_denial(code: str) -> bool:
    return code in DENIALS


def permission_for(operation: str) -> str:
    return f"{SERVICES.get(operation, 'ec2')}:{operation}"


def _sentence(code: str, operation: str, *, is_trouble: bool) -> str:
    if is_denial(code):
        return (
            f"These credentials may not use {permission_for(operation)}. Add it to their IAM "
            f"policy; the session's iam-policy lists all that is needed."
        )
    if code in THROTTLES:
        return f"AWS limits how often this account may call {operation}. Try again in a minute."
    if is_trouble and code not in SENTENCES:
        return f"AWS has trouble of its own with {operation} ({code}). Try again in a minute."
    return SENTENCES.get(code, f"AWS refused {operation} with {code}. Its documentation says why.")


def _unreachable(error: Exception) -> AwsTimeout:
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        if settings.AWS_ENDPOINT_URL:
            return AwsTimeout(
                "The local AWS does not answer. Start it with manage.py quickstart, then try again."
            )
        return AwsTimeout(
            "Nothing answers at the address of AWS in this region. "
            "Check the region's name and this machine's network."
        )
    return AwsTimeout("AWS did not answer in time. Try again in a minute.")


def _unusable(error: Exception) -> AwsRefused:
    if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError):
        return AwsRefused(
            "AWS cannot be asked with these values. Check the region, the ids and the role.",
            aws_code="ValidationError",
        )
    return AwsRefused(
        "AWS sent an answer that cannot be read. Try again in a minute.",
        aws_code="UnreadableAnswer",
    )
