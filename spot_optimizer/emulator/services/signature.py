"""Verifies signatures (version 4) with the error codes of each AWS service."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from spot_optimizer.emulator.account import Account
from spot_optimizer.emulator.services.keys import ExpiredKey, UnknownKey, known_key
from spot_optimizer.emulator.services.wire import AwsError, Call, Caller

MAX_AGE = timedelta(minutes=5)


class Codes(NamedTuple):
    """A service's error codes for invalid signatures."""

    missing: str
    unknown: str
    mismatch: str
    late: str
    expired: str


CODES = {
    "ec2": Codes("AuthFailure", "AuthFailure", "AuthFailure", "RequestExpired", "RequestExpired"),
    "sts": Codes(
        "MissingAuthenticationToken",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
        "ExpiredToken",
    ),
    "pricing": Codes(
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "InvalidSignatureException",
        "ExpiredTokenException",
    ),
    "s3": Codes(
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "ExpiredToken",
    ),
}
STATUS = {"ec2": 401, "pricing": 400}


def authenticate(call: Call, account: Account, now: datetime) -> Caller:
    """
    Return the identity that signed a call.

    :raises AwsError: it is unsigned, the key is unknown or expired, the signature is wrong, or the
        request is older than five minutes
    """
    codes = CODES.get(call.service, CODES["sts"])
    status = STATUS.get(call.service, 403)
    if not call.access_key:
        raise AwsError(codes.missing, "The request is not signed.", status)
    token = call.request.headers.get("X-Amz-Security-Token")
    try:
        caller, secret_key = known_key(account, call.access_key, token, now)
    except UnknownKey as error:
        sentence = "AWS was not able to validate the provided access credentials"
        raise AwsError(codes.unknown, sentence, status) from error
    except ExpiredKey as error:
        sentence = "The security token included in the request is expired"
        raise AwsError(codes.expired, sentence, status) from error
    if not hmac.compare_digest(_signature(call, secret_key), _field(call, "Signature")):
        sentence = "The request signature we calculated does not match the one provided."
        raise AwsError(codes.mismatch, sentence, status)
    if not _is_recent(call.request.headers.get("X-Amz-Date", ""), now):
        raise AwsError(codes.late, "The request is not within five minutes of now.", status)
    return caller


def _is_recent(sent: str, now: datetime) -> bool:
    try:
        at = datetime.strptime(sent, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - at) <= MAX_AGE


def _signature(call: Call, secret_key: str) -> str:
    request = call.request
    credentials = Credentials(call.access_key, secret_key)
    kind = S3SigV4Auth if call.service == "s3" else SigV4Auth
    auth = kind(credentials, call.service, call.region)
    names = _field(call, "SignedHeaders").split(";")
    signed = AWSRequest(
        method=request.method,
        url=f"http://{request.host}{request.environ['RAW_URI']}",
        headers={name: request.headers.get(name, "") for name in names},
        data=request.get_data(cache=True),
    )
    signed.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    canonical: str = auth.canonical_request(signed)
    return str(auth.signature(auth.string_to_sign(signed, canonical), signed))


def _field(call: Call, name: str) -> str:
    header = call.request.headers.get("Authorization", "")
    return header.partition(f"{name}=")[2].partition(",")[0].strip()
