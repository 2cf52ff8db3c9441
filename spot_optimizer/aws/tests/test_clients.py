import time

import pytest

from spot_optimizer.aws.client import access as clients
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors
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
    def test_repr_shows_only_four_characters(self):
        text = repr(an_access()) + repr(an_access().credentials) + str(an_access().credentials)

        assert KEY not in text
        assert SECRET not in text
        assert TOKEN not in text
        assert "…0001" in text

    def test_repr_hides_a_short_key(self):
        assert repr(Credentials("AKIA...", "...")) == "Credentials(…)"

    @pytest.mark.parametrize(
        "keys",
        [
            {"access_key": "AKIA\r\nX-Evil: 1"},
            {"access_key": "ключ"},
            {"access_key": ""},
            {"secret_key": "\ud800"},
            {"secret_key": ""},
            {"session_token": "a\nb"},
        ],
    )
    def test_invalid_in_a_header_are_refused_before_any_request(self, fake_aws, keys):
        with pytest.raises(AwsRefused) as refusal:
            caller_identity(an_access(**keys), deadline=soon())

        assert refusal.value.code == "aws_InvalidClientTokenId"
        assert fake_aws.requests == []

    def test_of_any_length_are_sent_to_aws(self, fake_aws):
        fake_aws.respond(IDENTITY)

        identity = caller_identity(
            an_access(access_key="AKIA...", secret_key="...", session_token=None), deadline=soon()
        )

        assert identity == ("123456789012", "arn:aws:iam::123456789012:user/ann")

    def test_of_the_host_are_not_loaded(self, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "host")

        assert clients._session().get_credentials() is None

    def test_of_the_host_are_not_used(self, fake_aws, monkeypatch, tmp_path):
        (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIAHOST\n")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "host")
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        fake_aws.respond(IDENTITY)
        fake_aws.respond_error("NoSuchKey")

        caller_identity(an_access(), deadline=soon())
        with pytest.raises(AwsRefused):
            spot_advisor(deadline=soon())

        assert f"Credential={KEY}/" in fake_aws.headers[0]["Authorization"]
        assert "Authorization" not in fake_aws.headers[1]


class TestRole:
    def test_is_assumed_once_and_its_keys_sign_later_calls(self, fake_aws):
        fake_aws.respond(ROLE)
        fake_aws.respond(IDENTITY, times=2)
        access = an_access(role_arn="arn:aws:iam::123456789012:role/ours", external_id="mine")

        caller_identity(access, deadline=soon())
        caller_identity(access, deadline=soon())

        assert ["Action=AssumeRole" in request for request in fake_aws.requests] == [
            True,
            False,
            False,
        ]
        assert "ExternalId=mine" in fake_aws.requests[0]
        assert "Credential=ASIAROLEROLEROLE0001/" in fake_aws.headers[1]["Authorization"]
        assert fake_aws.headers[1]["X-Amz-Security-Token"] == "roleToken"

    def test_with_an_invalid_arn_is_refused_without_repeating_it(self, fake_aws):
        access = an_access(role_arn="x", external_id=SECRET)

        with pytest.raises(AwsRefused) as refusal:
            caller_identity(access, deadline=soon())

        assert refusal.value.code == "aws_ValidationError"
        assert SECRET not in str(refusal.value)


class TestAwsAccess:
    def test_creates_a_client_once(self):
        access = an_access()

        assert access.client("ec2") is access.client("ec2")

    def test_ec2_client_has_only_the_operations_of_the_policy(self):
        operations = an_access().client("ec2").meta.service_model.operation_names

        assert {f"ec2:{name}" for name in operations} == {
            action for action in ACTIONS if action.startswith("ec2:")
        }

    @pytest.mark.parametrize("region", ["", "a b", "evil.example/", "us-east-1\n", "ü"])
    def test_refuses_an_invalid_region(self, fake_aws, region):
        with pytest.raises(AwsRefused):
            caller_identity(an_access(region=region), deadline=soon())

        assert fake_aws.requests == []


class TestDeadline:
    def test_raises_when_no_time_remains(self):
        with pytest.raises(AwsTimeout):
            Deadline.after(0).check()

    def test_remaining_time_is_never_negative(self):
        assert Deadline.after(-5).remaining() == 0

    def test_is_checked_before_the_first_call(self, fake_aws):
        with pytest.raises(AwsTimeout):
            caller_identity(an_access(), deadline=Deadline.after(0))

        assert fake_aws.requests == []

    def test_ends_the_retries_of_the_client(self, fake_aws):
        fake_aws.stop_responding()
        before = time.monotonic()

        with pytest.raises(AwsTimeout):
            caller_identity(an_access(read_timeout=0.2), deadline=Deadline.after(0.1))

        assert len(fake_aws.requests) == 1
        assert time.monotonic() - before < 4

    def test_applies_only_inside_its_context(self, fake_aws):
        access = an_access()
        with translated_errors(soon(0.5)):
            client = access.client("sts")
        fake_aws.respond(IDENTITY)

        assert client.get_caller_identity()["Account"] == "123456789012"
        assert isinstance(access, AwsAccess)
