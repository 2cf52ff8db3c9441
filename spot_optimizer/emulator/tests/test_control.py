import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from spot_optimizer.emulator.tests.builders import refused


def post(emulator, path, body):
    return urllib3.request("POST", f"{emulator.url}/_emulator{path}", body=body)


def test_identity_states_that_it_is_an_emulator(emulator):
    response = urllib3.request("GET", f"{emulator.url}/_emulator")

    assert response.headers["X-Emulator"] == "spot-optimizer"
    assert "not AWS" in response.json()["emulator"]
    assert response.json()["access_key"] == emulator.access_key


def test_every_response_has_the_emulator_header(aws):
    response = aws("ec2").describe_instances()

    assert response["ResponseMetadata"]["HTTPHeaders"]["x-emulator"] == "spot-optimizer"


class TestDenial:
    def test_has_the_error_code_of_each_service(self, emulator, aws):
        emulator.deny("ec2:DescribeInstances", "pricing:*", "sts:GetCallerIdentity")

        with refused("UnauthorizedOperation", 403):
            aws("ec2").describe_instances()
        with refused("AccessDeniedException", 400):
            aws("pricing").get_products(ServiceCode="AmazonEC2")
        with refused("AccessDenied", 403):
            aws("sts").get_caller_identity()

    def test_names_the_missing_permission(self, emulator, aws):
        emulator.deny("ec2:DescribeInstances")

        with pytest.raises(ClientError, match="perform: ec2:DescribeInstances because"):
            aws("ec2").describe_instances()

    def test_applies_to_dry_runs(self, emulator, aws):
        emulator.deny("ec2:DescribeInstances")

        with refused("UnauthorizedOperation", 403):
            aws("ec2").describe_instances(DryRun=True)

    def test_affects_no_other_action_and_ends_when_cleared(self, emulator, aws):
        emulator.deny("ec2:DescribeInstances")
        aws("ec2").describe_availability_zones()

        emulator.deny()

        aws("ec2").describe_instances()


class TestFaults:
    def test_a_failure_ends_after_its_number_of_calls(self, emulator, aws):
        emulator.fail("DescribeInstances", code="RequestLimitExceeded", status=503, times=2)

        for _ in range(2):
            with refused("RequestLimitExceeded", 503):
                aws("ec2").describe_instances()
        aws("ec2").describe_instances()

    def test_a_delay_delays_the_response(self, emulator, aws):
        emulator.delay("*", seconds=0.5)
        client = aws("sts")

        started = time.monotonic()
        client.get_caller_identity()

        assert time.monotonic() - started >= 0.5

    def test_a_garbage_response_cannot_be_parsed(self, emulator, aws):
        emulator.garbage("ec2:DescribeSpotPriceHistory")

        with pytest.raises(ResponseParserError):
            aws("ec2").describe_spot_price_history(InstanceTypes=["m5.large"])

    def test_reset_clears_all_faults(self, emulator, aws):
        emulator.deny("*")
        emulator.fail("*", code="InternalError", status=500, times=9)

        emulator.reset()

        aws("ec2").describe_instances()

    def test_reset_ends_current_delays(self, emulator, aws):
        emulator.delay("GetCallerIdentity", seconds=120)
        client = aws("sts")

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(client.get_caller_identity)
            time.sleep(0.5)
            waited = not future.done()
            emulator.reset()
            future.result(timeout=5)

        assert waited


class TestRequestLog:
    def test_logs_caller_and_action(self, emulator, aws):
        before = emulator.last_request()
        aws("ec2", "eu-west-1").describe_availability_zones()
        with refused("DryRunOperation"):
            aws("ec2").describe_instances(DryRun=True)

        entries = emulator.requests(after=before)

        for entry in entries:
            assert isinstance(entry.pop("n"), int)
            assert entry.pop("time").endswith("+00:00")
        zones = {
            "service": "ec2",
            "action": "DescribeAvailabilityZones",
            "region": "eu-west-1",
            "access_key_last4": emulator.access_key[-4:],
            "status": 200,
            "error": None,
            "dry_run": False,
        }
        dry = {
            "action": "DescribeInstances",
            "region": "us-east-1",
            "status": 412,
            "error": "DryRunOperation",
            "dry_run": True,
        }
        assert entries == [zones, zones | dry]

    def test_logs_refused_requests_and_no_secret(self, emulator, aws):
        before = emulator.last_request()
        with refused("AuthFailure"):
            aws("ec2", aws_secret_access_key="planted-secret").describe_instances()

        text = str(emulator.requests(after=before))

        assert "AuthFailure" in text
        assert "planted-secret" not in text
        assert emulator.access_key not in text
        assert "Signature" not in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/deny", "{"),
        ("/deny", "[]"),
        ("/deny", '{"actions": "ec2:DescribeInstances"}'),
        ("/deny", '{"actions": [1]}'),
        ("/fail", "{}"),
        ("/fail", '{"action": "DescribeInstances"}'),
        ("/fail", '{"action": "DescribeInstances", "code": "X", "status": 200}'),
        ("/fail", '{"action": "DescribeInstances", "code": "X", "status": "many"}'),
        ("/fail", '{"action": "DescribeInstances", "code": "X", "times": 0}'),
        ("/delay", '{"action": "*", "seconds": -1}'),
        ("/delay", '{"action": "*", "seconds": 1e9}'),
        ("/delay", '{"action": "*", "seconds": NaN}'),
        ("/garbage", '{"action": 5}'),
        ("/interrupt", "{}"),
        ("/interrupt", '{"instance_id": "i-0"}'),
        ("/rebalance", '{"instance_id": null}'),
        ("/deny", b"\xff\xfe"),
    ],
)
def test_an_invalid_command_is_refused_with_a_message(emulator, path, body):
    response = post(emulator, path, body)

    assert response.status == 400
    assert response.json()["detail"].endswith(".")


def test_an_unknown_path_or_number_is_refused(emulator):
    assert post(emulator, "/explode", "{}").status == 404
    assert urllib3.request("DELETE", f"{emulator.url}/_emulator").status == 404
    assert urllib3.request("GET", f"{emulator.url}/_emulator/requests?after=x").status == 400


def test_an_on_demand_instance_cannot_be_interrupted(emulator):
    [instance, *_] = emulator.instances("on-demand")

    with pytest.raises(ValueError, match="No spot instance"):
        emulator.interrupt(instance["instance_id"])
