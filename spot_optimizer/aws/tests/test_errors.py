import traceback

import pytest
from botocore.exceptions import EndpointConnectionError

from spot_optimizer.aws.errors import translated_errors
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
    def test_name_the_permission_that_is_missing(self, wire):
        wire.refuses("UnauthorizedOperation", status=403)

        refusal = refusal_of(describe)

        assert refusal.code == "aws_UnauthorizedOperation"
        assert "ec2:DescribeInstances" in str(refusal)

    def test_name_the_permission_of_other_services_too(self, wire):
        wire.says('{"__type": "AccessDeniedException", "message": "no"}', status=400)

        refusal = refusal_of(
            lambda: list(on_demand_prices(an_access(), operating_system="Linux", deadline=soon()))
        )

        assert refusal.code == "aws_AccessDeniedException"
        assert "pricing:GetProducts" in str(refusal)

    def test_tell_throttling_after_three_attempts(self, wire):
        wire.refuses("RequestLimitExceeded", status=503, times=3)

        refusal = refusal_of(describe)

        assert refusal.code == "aws_RequestLimitExceeded"
        assert "Try again in a minute" in str(refusal)
        assert len(wire.asked) == 3

    @pytest.mark.parametrize(
        ("code", "status"),
        [("InternalError", 500), ("ServiceUnavailable", 503), ("SomethingNobodyKnows", 502)],
    )
    def test_call_the_trouble_of_aws_by_its_name_after_three_attempts(self, wire, code, status):
        wire.refuses(code, status=status, times=3)

        refusal = refusal_of(describe)

        assert refusal.code == f"aws_{code}"
        assert "failed inside AWS" in str(refusal)
        assert "Try again in a minute" in str(refusal)
        assert "documentation" not in str(refusal)
        assert len(wire.asked) == 3

    def test_know_the_trouble_of_aws_whatever_its_status(self, wire):
        wire.refuses("InternalError", status=400)

        assert "failed inside AWS" in str(refusal_of(describe))

    @pytest.mark.parametrize(
        "code",
        ["AuthFailure", "SignatureDoesNotMatch", "IncompleteSignature", "SomethingNobodyKnows"],
    )
    def test_repeat_no_secret_that_aws_repeats(self, wire, code):
        wire.refuses(code, message=ECHO, status=403)

        refusal = refusal_of(describe)

        told = "".join(traceback.format_exception(refusal)) + repr(refusal)
        assert refusal.aws_code == code
        assert not [secret for secret in (KEY, SECRET, TOKEN) if secret in told]

    def test_make_a_code_of_any_text(self, wire):
        wire.refuses('a b"c' + "x" * 100)

        assert refusal_of(describe).code == "aws_a_b_c" + "x" * 59

    @pytest.mark.parametrize("body", [b"\xff\xfe nonsense", b"<html>", b"<a/>", b"", b"{}"])
    def test_call_an_answer_that_makes_no_sense_by_its_name(self, wire, body):
        wire.says(body, times=3)

        assert refusal_of(describe).code == "aws_UnreadableAnswer"

    def test_call_nonsense_of_the_other_protocols_by_its_name_too(self, wire):
        wire.says("nonsense", times=3)
        assert (
            refusal_of(
                lambda: list(
                    on_demand_prices(an_access(), operating_system="Linux", deadline=soon())
                )
            ).code
            == "aws_UnreadableAnswer"
        )
        wire.answers.clear()
        wire.says("[]", Last_Modified="Tue, 01 Nov 2022 00:00:00 GMT")
        assert refusal_of(lambda: spot_advisor(deadline=soon())).code == "aws_UnreadableAnswer"

    def test_say_that_aws_does_not_answer(self, wire):
        wire.is_silent()
        access = an_access(read_timeout=0.1)

        refusal = refusal_of(lambda: caller_identity(access, deadline=soon()))

        assert refusal.code == "aws_timeout"

    def test_say_that_nobody_is_there(self, settings):
        settings.AWS_ENDPOINT_URL = ""

        with pytest.raises(AwsTimeout) as caught, translated_errors(soon()):
            raise EndpointConnectionError(endpoint_url="https://ec2.us-east-9.amazonaws.com")

        assert caught.value.code == "aws_timeout"
        assert "region" in str(caught.value)

    def test_say_how_to_start_the_local_aws_where_nobody_is_there(self, settings):
        settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"

        refusal = refusal_of(lambda: caller_identity(an_access(), deadline=soon()))

        assert refusal.code == "aws_timeout"
        assert "local AWS does not respond" in str(refusal)
        assert "manage.py quickstart" in str(refusal)
