import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spot_optimizer.emulator.account import instances
from spot_optimizer.emulator.context import create_context
from spot_optimizer.emulator.signals import EventBus, NoSuchSpotInstance
from spot_optimizer.emulator.testing import EmulatorClient, running_emulator

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def context():
    return create_context(seed=3, bus=EventBus(None, ""), now=NOON)


@pytest.fixture
def spot(context):
    """A spot instance in moto, with all signals cleared before and after."""
    context.signals.clear()
    yield next(i for i in instances(context.account) if i.lifecycle == "spot")
    context.signals.clear()


@pytest.fixture
def destination() -> Iterator[HTTPServer]:
    """An HTTP server that records the requests it receives."""

    class RecordingHandler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append((dict(self.headers), json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), RecordingHandler)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class TestInterrupt:
    def test_the_instance_runs_two_minutes_longer(self, context, spot):
        context.signals.interrupt(spot.id, NOON)

        context.signals.terminate_due(NOON + timedelta(seconds=119))
        assert spot.state == "running"
        context.signals.terminate_due(NOON + timedelta(seconds=120))
        assert spot.state == "terminated"
        assert spot.state_reason.code == "Server.SpotInstanceTermination"

    def test_a_second_one_does_not_restart_the_notice(self, context, spot):
        context.signals.interrupt(spot.id, NOON)

        context.signals.interrupt(spot.id, NOON + timedelta(seconds=60))

        context.signals.terminate_due(NOON + timedelta(seconds=120))
        assert spot.state == "terminated"

    def test_a_terminated_instance_cannot_be_interrupted(self, context, spot):
        context.signals.interrupt(spot.id, NOON)
        context.signals.terminate_due(NOON + timedelta(seconds=120))

        with pytest.raises(NoSuchSpotInstance):
            context.signals.interrupt(spot.id, NOON + timedelta(seconds=121))

    def test_reset_makes_it_run_again(self, context, spot):
        context.signals.interrupt(spot.id, NOON)
        context.signals.terminate_due(NOON + timedelta(seconds=120))

        context.signals.clear()

        assert spot.state == "running"
        assert context.signals.interrupted_at(spot.id) is None

    def test_its_request_is_closed_while_it_is_still_running(self, emulator, aws):
        [instance, *_] = emulator.instances("spot")
        ec2 = aws("ec2", instance["region"])

        emulator.interrupt(instance["instance_id"])

        [request] = ec2.describe_spot_instance_requests(
            SpotInstanceRequestIds=[instance["spot_instance_request_id"]]
        )["SpotInstanceRequests"]
        assert request["Status"]["Code"] == "instance-terminated-no-capacity"
        assert request["State"] == "closed"
        [reservation] = ec2.describe_instances(InstanceIds=[instance["instance_id"]])[
            "Reservations"
        ]
        assert reservation["Instances"][0]["State"]["Name"] == "running"


class TestEvents:
    def test_a_rebalance_recommendation_is_sent_to_eventbridge_only(self, destination):
        with with_destination(destination) as emulator:
            [instance, *_] = emulator.instances("spot")

            response = emulator.rebalance(instance["instance_id"])

        [(headers, event)] = destination.received
        assert response == {"delivered": True, "status": 204}
        assert headers["X-Spot-Optimizer-Secret"] == "hush"
        assert event["detail-type"] == "EC2 Instance Rebalance Recommendation"
        assert event["source"] == "aws.ec2"
        assert event["account"] == emulator.account_id
        assert event["region"] == instance["region"]
        assert event["resources"] == [
            f"arn:aws:ec2:{instance['region']}:{emulator.account_id}:"
            f"instance/{instance['instance_id']}"
        ]
        assert event["detail"] == {"instance-id": instance["instance_id"]}

    def test_an_interruption_is_sent_to_eventbridge(self, destination):
        with with_destination(destination) as emulator:
            [instance, *_] = emulator.instances("spot")

            emulator.interrupt(instance["instance_id"])
            emulator.interrupt(instance["instance_id"])

        [(_, event)] = destination.received
        assert event["detail-type"] == "EC2 Spot Instance Interruption Warning"
        assert event["region"] == instance["region"]
        assert event["resources"] == [
            f"arn:aws:ec2:{instance['availability_zone']}:instance/{instance['instance_id']}"
        ]
        assert event["detail"] == {
            "instance-id": instance["instance_id"],
            "instance-action": "terminate",
        }

    def test_without_a_destination_reports_that_nothing_was_delivered(self, emulator):
        [instance, *_] = emulator.instances("spot")

        assert emulator.rebalance(instance["instance_id"])["delivered"] is False

    def test_an_unreachable_destination_is_reported_without_an_error(self):
        # Nothing listens on port 9 of loopback.
        assert EventBus("http://127.0.0.1:9/", "hush").send({})["delivered"] is False


def with_destination(destination: HTTPServer) -> EmulatorClient:
    url = f"http://127.0.0.1:{destination.server_port}/"
    return running_emulator("--eventbridge-url", url, eventbridge_secret="hush")
