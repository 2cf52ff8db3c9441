from datetime import UTC, datetime, timedelta

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from spot_optimizer.emulator.account import account_of
from spot_optimizer.emulator.services.keys import ExpiredKey, UnknownKey, known_key, temporary_key
from spot_optimizer.emulator.services.wire import Caller
from spot_optimizer.emulator.testing import running_emulator
from spot_optimizer.emulator.tests.builders import refused

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
UNKNOWN = "AKIAAAAAAAAAAAAAAAAA"


def test_returns_the_identity_of_the_caller(emulator, aws):
    identity = aws("sts").get_caller_identity()

    assert identity["Account"] == emulator.account_id
    assert identity["Arn"] == f"arn:aws:iam::{emulator.account_id}:user/spot-optimizer-demo"


def test_another_seed_is_another_account():
    assert account_of(1) == account_of(1)
    assert account_of(1).access_key != account_of(2).access_key


def test_the_secret_is_not_in_the_representation():
    account = account_of(1)

    assert account.secret_key not in repr(account)


def test_the_same_seed_gives_the_same_account_and_instances_after_a_restart(emulator):
    with running_emulator() as again:
        assert (again.access_key, again.secret_key) == (emulator.access_key, emulator.secret_key)
        assert again.instances() == emulator.instances()


class TestSignatures:
    def test_an_unknown_key_is_refused(self, aws):
        with refused("AuthFailure", 401):
            aws("ec2", aws_access_key_id=UNKNOWN).describe_instances()
        with refused("InvalidClientTokenId", 403):
            aws("sts", aws_access_key_id=UNKNOWN).get_caller_identity()
        with refused("UnrecognizedClientException", 400):
            aws("pricing", aws_access_key_id=UNKNOWN).get_products(ServiceCode="AmazonEC2")

    def test_a_wrong_secret_is_refused(self, aws):
        with refused("AuthFailure", 401):
            aws("ec2", aws_secret_access_key="wrong").describe_instances()
        with refused("SignatureDoesNotMatch", 403):
            aws("sts", aws_secret_access_key="wrong").get_caller_identity()
        with refused("InvalidSignatureException", 400):
            aws("pricing", aws_secret_access_key="wrong").get_products(ServiceCode="AmazonEC2")

    def test_a_long_term_key_with_a_session_token_is_refused(self, aws):
        with refused("InvalidClientTokenId"):
            aws("sts", aws_session_token="token").get_caller_identity()

    def test_an_unsigned_request_is_refused(self, emulator):
        body = "Action=DescribeInstances&Version=2016-11-15"
        form = {"Content-Type": "application/x-www-form-urlencoded"}

        response = urllib3.request("POST", emulator.url, body=body, headers=form)

        assert response.status == 401
        assert b"AuthFailure" in response.data

    def test_motos_own_endpoints_are_not_served(self, emulator):
        response = urllib3.request("POST", f"{emulator.url}/moto-api/reset")

        assert response.status == 403

    def test_a_signature_is_valid_for_five_minutes(self, emulator):
        now = datetime.now(UTC)

        fresh = get_caller_identity_over_http(emulator, signed_at=now - timedelta(minutes=4))
        stale = get_caller_identity_over_http(emulator, signed_at=now - timedelta(minutes=6))

        assert fresh.status == 200
        assert stale.status == 403
        assert b"SignatureDoesNotMatch" in stale.data


def get_caller_identity_over_http(emulator, *, signed_at):
    stamp = signed_at.strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest(
        "POST",
        emulator.url,
        data=b"Action=GetCallerIdentity&Version=2011-06-15",
        headers={"Content-Type": "application/x-www-form-urlencoded", "X-Amz-Date": stamp},
    )
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(emulator.access_key, emulator.secret_key), "sts", "us-east-1")
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(to_sign, request))
    return urllib3.request("POST", emulator.url, body=request.data, headers=dict(request.headers))


def keys(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


class TestTemporaryKeys:
    def test_a_session_token_has_the_identity_of_the_user(self, emulator, aws):
        given = aws("sts").get_session_token()["Credentials"]

        identity = aws("sts", **keys(given)).get_caller_identity()

        assert identity["Arn"] == f"arn:aws:iam::{emulator.account_id}:user/spot-optimizer-demo"
        aws("ec2", **keys(given)).describe_instances()

    def test_an_assumed_role_has_the_identity_of_the_role(self, emulator, aws):
        given = aws("sts").assume_role(**the_role(emulator))["Credentials"]

        identity = aws("sts", **keys(given)).get_caller_identity()

        assert identity["Arn"].endswith(":assumed-role/spot-optimizer/test")
        aws("pricing", **keys(given)).get_products(ServiceCode="AmazonEC2", MaxResults=1)

    def test_assuming_the_role_requires_the_external_id(self, emulator, aws):
        with refused("AccessDenied", 403):
            aws("sts").assume_role(**the_role(emulator) | {"ExternalId": "guess"})

    def test_are_refused_without_their_token_or_with_another(self, aws):
        given, other = (aws("sts").get_session_token()["Credentials"] for _ in range(2))

        with refused("InvalidClientTokenId"):
            aws("sts", **keys(given) | {"aws_session_token": None}).get_caller_identity()
        with refused("InvalidClientTokenId"):
            aws(
                "sts", **keys(given) | {"aws_session_token": other["SessionToken"]}
            ).get_caller_identity()

    def test_expire(self):
        account = account_of(1)
        caller = Caller("arn", "id")
        given = temporary_key(account, caller, NOON)
        key, token = given["AccessKeyId"], given["SessionToken"]

        before = known_key(account, key, token, NOON - timedelta(seconds=1))

        assert before == (caller, given["SecretAccessKey"])
        with pytest.raises(ExpiredKey):
            known_key(account, key, token, NOON)

    def test_the_expiry_in_a_token_cannot_be_changed(self):
        account = account_of(1)
        given = temporary_key(account, Caller("arn", "id"), NOON)
        token = given["SessionToken"]

        with pytest.raises(UnknownKey):
            known_key(account, given["AccessKeyId"], f"A{token[1:]}", NOON)
        with pytest.raises(UnknownKey):
            known_key(account_of(2), given["AccessKeyId"], token, NOON)


def the_role(emulator):
    known = urllib3.request("GET", f"{emulator.url}/_emulator").json()
    return {
        "RoleArn": known["role_arn"],
        "ExternalId": known["external_id"],
        "RoleSessionName": "test",
    }
