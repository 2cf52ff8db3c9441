"""The number of metric series is bounded, whatever error codes AWS returns."""

import pytest
from prometheus_client import REGISTRY

from spot_optimizer.aws.client import call_metrics
from spot_optimizer.aws.client.errors import translated_errors
from spot_optimizer.aws.instances import describe_instance
from spot_optimizer.aws.tests.conftest import an_access, soon
from spot_optimizer.errors import AwsRefused, AwsTimeout


@pytest.fixture(autouse=True)
def no_codes(monkeypatch):
    monkeypatch.setattr(call_metrics, "_codes", set())


def counted(code):
    labels = {"action": "DescribeInstances", "code": code}
    return REGISTRY.get_sample_value("spot_optimizer_aws_calls_total", labels) or 0


def describe(access):
    with translated_errors(soon()):
        access.client("ec2").describe_instances()


def test_codes_beyond_the_limit_are_counted_as_other(fake_aws):
    access, other_before = an_access(), counted("other")
    for number in range(call_metrics.MAX_CODES + 6):
        fake_aws.respond_error(f"Invented{number}")
        with pytest.raises(AwsRefused):
            describe(access)

    assert counted("Invented0") == 1
    assert counted("other") - other_before == 6


def test_a_malformed_code_is_counted_as_other(fake_aws):
    other_before = counted("other")
    fake_aws.respond_error("with spaces, and more")

    with pytest.raises(AwsRefused):
        describe(an_access())

    assert counted("other") - other_before == 1


def test_a_read_timeout_is_counted(fake_aws):
    fake_aws.stop_responding()
    before = counted("ReadTimeoutError")

    with pytest.raises(AwsTimeout):
        describe_instance(an_access(read_timeout=0.2), "i-0123456789abcdef0", deadline=soon())

    assert counted("ReadTimeoutError") - before == 1
