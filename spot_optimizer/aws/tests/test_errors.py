import traceback

import pytest
from botocore.exceptions import EndpointConnectionError

from spot_optimizer.aws.client.errors import translated_errors
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.aws.instances import describe_instance
from spot_optimizer.aws.on_demand_prices import on_demand_prices
from spot_optimizer.aws.spot_advisor import spot_advisor
from spot_optimizer.aws.tests.conftest import KEY, SECRET, TOKEN, an_access, soon
from spot_optimizer.errors import AwsRefused, AwsTimeout

ECHO = f"The Canonical String should have been x-amz-security-token:{TOKEN} {SECRET} {KEY}"


def refusal_of(call):
    with pytest.raises((AwsRefused, AwsTimeout)) as caught:
        call()
    return caught.value


def describe():
    return describe_instance(an_access(), "i-1", deadline=soon())


class TestTranslatedErrors:
    def test_names_the_missing_permission(self, fake_aws):
        fake_aws.respond_error("UnauthorizedOperation", status=403)

        refusal = refusal_of(describe)

        assert refusal.code == "aws_UnauthorizedOperation"
        assert "ec2:DescribeInstances" in str(refusal)

    def test_names_the_missing_permission_of_other_services(self, fake_aws):
        fake_aws.respond('{"__type": "AccessDeniedException", "message": "no"}', status=400)

        refusal = refusal_of(
            lambda: list(on_demand_prices(an_access(), operating_system="Linux", deadline=soon()))
        )

        assert refusal.code == "aws_AccessDeniedException"
        assert "pricing:GetProducts" in str(refusal)

    def test_reports_throttling_after_three_attempts(self, fake_aws):
        fake_aws.respond_error("RequestLimitExceeded", status=503, times=3)

        refusal = refusal_of(describe)

        assert refusal.code == "aws_RequestLimitExceeded"
        assert "Try again in a minute" in str(refusal)
        assert len(fake_aws.requests) == 3

    @pytest.mark.parametrize(
        ("code", "status"),
        [("InternalError", 500), ("ServiceUnavailable", 503), ("UndocumentedCode", 502)],
    )
    def test_reports_a_server_error_after_three_attempts(self, fake_aws, code, status):
        fake_aws.respond_error(code, status=status, times=3)

        refusal = refusal_of(describe)

        assert refusal.code == f"aws_{code}"
        assert "failed inside AWS" in str(refusal)
        assert "Try again in a minute" in str(refusal)
        assert "documentation" not in str(refusal)
        assert len(fake_aws.requests) == 3

    def test_recognizes_a_server_error_by_its_code(self, fake_aws):
        fake_aws.respond_error("InternalError", status=400)

        assert "failed inside AWS" in str(refusal_of(describe))

    @pytest.mark.parametrize(
        "code",
        ["AuthFailure", "SignatureDoesNotMatch", "IncompleteSignature", "UndocumentedCode"],
    )
    def test_removes_secrets_that_aws_repeats(self, fake_aws, code):
        fake_aws.respond_error(code, message=ECHO, status=403)

        refusal = refusal_of(describe)

        text = "".join(traceback.format_exception(refusal)) + repr(refusal)
        assert refusal.aws_code == code
        assert not [secret for secret in (KEY, SECRET, TOKEN) if secret in text]

    def test_sanitizes_an_error_code(self, fake_aws):
        fake_aws.respond_error('a b"c' + "x" * 100)

        assert refusal_of(describe).code == "aws_a_b_c" + "x" * 59

    @pytest.mark.parametrize("body", [b"\xff\xfe nonsense", b"<html>", b"<a/>", b"", b"{}"])
    def test_reports_a_malformed_response(self, fake_aws, body):
        fake_aws.respond(body, times=3)

        assert refusal_of(describe).code == "aws_UnreadableAnswer"

    def test_reports_a_malformed_response_in_other_protocols(self, fake_aws):
        fake_aws.respond("nonsense", times=3)
        assert (
            refusal_of(
                lambda: list(
                    on_demand_prices(an_access(), operating_system="Linux", deadline=soon())
                )
            ).code
            == "aws_UnreadableAnswer"
        )
        fake_aws.responses.clear()
        fake_aws.respond("[]", Last_Modified="Tue, 01 Nov 2022 00:00:00 GMT")
        assert refusal_of(lambda: spot_advisor(deadline=soon())).code == "aws_UnreadableAnswer"

    def test_reports_a_read_timeout(self, fake_aws):
        fake_aws.stop_responding()
        access = an_access(read_timeout=0.1)

        refusal = refusal_of(lambda: caller_identity(access, deadline=soon()))

        assert refusal.code == "aws_timeout"

    def test_reports_an_unreachable_endpoint(self, settings):
        settings.AWS_ENDPOINT_URL = ""

        with pytest.raises(AwsTimeout) as caught, translated_errors(soon()):
            raise EndpointConnectionError(endpoint_url="https://ec2.us-east-9.amazonaws.com")

        assert caught.value.code == "aws_timeout"
        assert "region" in str(caught.value)

    def test_names_the_command_that_starts_the_local_aws(self, settings):
        settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"

        refusal = refusal_of(lambda: caller_identity(an_access(), deadline=soon()))

        assert refusal.code == "aws_timeout"
        assert "local AWS does not respond" in str(refusal)
        assert "manage.py quickstart" in str(refusal)
