"""Whatever AWS, or who plays it, calls its errors: there are a few series, not one for each."""

import pytest
from prometheus_client import REGISTRY

from spot_optimizer.aws import call_metrics
from spot_optimizer.aws.errors import translated_errors
from spot_optimizer.aws.instances import describe_instance
from spot_optimizer.aws.tests.conftest import an_access, soon
from spot_optimizer.errors import AwsRefused, AwsTimeout


@pytest.fixture(autouse=True)
def _no_codes_yet(monkeypatch):
    monkeypatch.setattr(call_metrics, "_codes", set())


def counted(code):
    labels = {"action": "DescribeInstances", "code": code}
    return REGISTRY.get_sample_value("spot_optimizer_aws_calls_total", labels) or 0


def ask(access):
    with translated_errors(soon()):
        access.client("ec2").describe_instances()


def test_invented_codes_are_one_kind(wire):
    access, others = an_access(), counted("other")
    for number in range(call_metrics.MAX_CODES + 6):
        wire.refuses(f"Invented{number}")
        with pytest.raises(AwsRefused):
            ask(access)

    assert counted("Invented0") == 1
    assert counted("other") - others == 6


def test_what_is_no_code_is_none(wire):
    others = counted("other")
    wire.refuses("with spaces, and more")

    with pytest.raises(AwsRefused):
        ask(an_access())

    assert counted("other") - others == 1


def test_an_answer_that_does_not_come_is_counted_too(wire):
    wire.is_silent()
    before = counted("ReadTimeoutError")

    with pytest.raises(AwsTimeout):
        describe_instance(an_access(read_timeout=0.2), "i-0123456789abcdef0", deadline=soon())

    assert counted("ReadTimeoutError") - before == 1
