"""Signature version 4, checked as AWS checks it."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from spot_optimizer.emulator.wire import Call, Refusal

MAX_AGE = timedelta(minutes=5)


class Codes(NamedTuple):
    """What a service calls the ways in which a signature can be wrong."""

    missing: str
    unknown: str
    mismatch: str
    expired: str


CODES = {
    "ec2": Codes("AuthFailure", "AuthFailure", "AuthFailure", "RequestExpired"),
    "sts": Codes(
        "MissingAuthenticationToken",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
    ),
    "pricing": Codes(
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "InvalidSignatureException",
    ),
    "s3": Codes(
        "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"
    ),
}
STATUS = {"ec2": 401, "pricing": 400}


def check_signature(call: Call, *, access_key: str, secret_key: str, now: datetime) -> None:
    """
    Accept a request that the owner of the one account signed.

    :raises Refusal: the key is unknown (as one with a session token is, for the account has only a
        long-term key), the secret was another, or the request is older than five minutes
    """
    codes = CODES.get(call.service, CODES["sts"])
    status = STATUS.get(call.service, 403)
    request = call.request
    if not call.access_key:
        raise Refusal(codes.missing, "The request is not signed.", status)
    if call.access_key != access_key or "X-Amz-Security-Token" in request.headers:
        raise Refusal(
            codes.unknown, "AWS was not able to validate the provided access credentials", status
        )
    expected = _signature(call, secret_key)
    if not hmac.compare_digest(expected, _field(call, "Signature")):
        sentence = "The request signature we calculated does not match the one provided."
        raise Refusal(codes.mismatch, sentence, status)
    if not _is_recent(request.headers.get("X-Amz-Date", ""), now):
        raise Refusal(codes.expired, "The request is not of this time; check your clock.", status)


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
