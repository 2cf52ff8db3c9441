import time

import pytest

from spot_optimizer.aws import clients
from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.credentials import Credentials
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors
from spot_optimizer.aws.iam_policy import ACTIONS
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.aws.spot_advisor import spot_advisor
from spot_optimizer.aws.tests.conftest import KEY, SECRET, TOKEN, an_access, soon
from spot_optimizer.errors import AwsRefused, AwsTimeout

IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn>"
    "<UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
ROLE = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
    "<Credentials><AccessKeyId>ASIAROLEROLEROLE0001</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
    "<SessionToken>roleToken</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
)


class TestCredentials:
    def test_tell_nothing_but_four_characters(self):
        told = repr(an_access()) + repr(an_access().credentials) + str(an_access().credentials)

        assert KEY not in told
        assert SECRET not in told
        assert TOKEN not in told
        assert "…0001" in told

    def test_a_short_key_is_not_shown_at_all(self):
        assert repr(Credentials("AKIA...", "...")) == "Credentials(…)"

    @pytest.mark.parametrize(
        "broken",
        [
            {"access_key": "AKIA\r\nX-Evil: 1"},
            {"access_key": "ключ"},
            {"access_key": ""},
            {"secret_key": "\ud800"},
            {"secret_key": ""},
            {"session_token": "a\nb"},
        ],
    )
    def test_that_no_header_can_hold_are_refused_before_anything_is_sent(self, wire, broken):
        with pytest.raises(AwsRefused) as refusal:
            caller_identity(an_access(**broken), deadline=soon())

        assert refusal.value.code == "aws_InvalidClientTokenId"
        assert wire.asked == []

    def test_of_any_other_shape_are_for_aws_to_judge(self, wire):
        wire.says(IDENTITY)

        identity = caller_identity(
            an_access(access_key="AKIA...", secret_key="...", session_token=None), deadline=soon()
        )

        assert identity == ("123456789012", "arn:aws:iam::123456789012:user/ann")

    def test_of_the_host_are_not_even_looked_for(self, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "host")

        assert clients._session().get_credentials() is None

    def test_of_the_host_are_never_used(self, wire, monkeypatch, tmp_path):
        (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIAHOST\n")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "host")
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        wire.says(IDENTITY)
        wire.refuses("NoSuchKey")

        caller_identity(an_access(), deadline=soon())
        with pytest.raises(AwsRefused):
            spot_advisor(deadline=soon())

        assert f"Credential={KEY}/" in wire.headers[0]["Authorization"]
        assert "Authorization" not in wire.headers[1]


class TestRole:
    def test_is_assumed_once_and_its_keys_sign_what_follows(self, wire):
        wire.says(ROLE)
        wire.says(IDENTITY, times=2)
        access = an_access(role_arn="arn:aws:iam::123456789012:role/ours", external_id="mine")

        caller_identity(access, deadline=soon())
        caller_identity(access, deadline=soon())

        assert ["Action=AssumeRole" in asked for asked in wire.asked] == [True, False, False]
        assert "ExternalId=mine" in wire.asked[0]
        assert "Credential=ASIAROLEROLEROLE0001/" in wire.headers[1]["Authorization"]
        assert wire.headers[1]["X-Amz-Security-Token"] == "roleToken"

    def test_that_is_none_is_refused_without_repeating_what_was_given(self, wire):
        access = an_access(role_arn="x", external_id=SECRET)

        with pytest.raises(AwsRefused) as refusal:
            caller_identity(access, deadline=soon())

        assert refusal.value.code == "aws_ValidationError"
        assert SECRET not in str(refusal.value)


class TestAccess:
    def test_makes_a_client_once(self):
        access = an_access()

        assert access.client("ec2") is access.client("ec2")

    def test_can_ask_of_ec2_what_the_policy_allows_and_no_more(self):
        operations = an_access().client("ec2").meta.service_model.operation_names

        assert {f"ec2:{name}" for name in operations} == {
            action for action in ACTIONS if action.startswith("ec2:")
        }

    @pytest.mark.parametrize("region", ["", "a b", "evil.example/", "us-east-1\n", "ü"])
    def test_refuses_what_is_no_region(self, wire, region):
        with pytest.raises(AwsRefused):
            caller_identity(an_access(region=region), deadline=soon())

        assert wire.asked == []


class TestDeadline:
    def test_is_over_when_its_seconds_are(self):
        with pytest.raises(AwsTimeout):
            Deadline.after(0).check()

    def test_has_nothing_left_once_it_is_over(self):
        assert Deadline.after(-5).remaining() == 0

    def test_stops_before_the_first_call(self, wire):
        with pytest.raises(AwsTimeout):
            caller_identity(an_access(), deadline=Deadline.after(0))

        assert wire.asked == []

    def test_ends_the_retries_of_the_client(self, wire):
        wire.is_silent()
        before = time.monotonic()

        with pytest.raises(AwsTimeout):
            caller_identity(an_access(read_timeout=0.2), deadline=Deadline.after(0.1))

        assert len(wire.asked) == 1
        assert time.monotonic() - before < 4

    def test_of_one_call_does_not_outlive_it(self, wire):
        access = an_access()
        with translated_errors(soon(0.5)):
            client = access.client("sts")
        wire.says(IDENTITY)

        assert client.get_caller_identity()["Account"] == "123456789012"
        assert isinstance(access, AwsAccess)
