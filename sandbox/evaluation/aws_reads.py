"""What an evaluation reads from AWS about the instance itself."""

from datetime import datetime
from typing import NamedTuple

from sandbox.evaluation.step_publisher import StepPublisher
from sandbox.models import SandboxSession
from sandbox.queries import received_signal
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.instances import Instance, describe_instance
from spot_optimizer.aws.spot_requests import interruption_signal
from spot_optimizer.aws.zones import zone_names
from spot_optimizer.errors import Conflict
from streaming.publish import log

RUNNABLE_STATES = ("pending", "running")


class NotRunning(Conflict):
    code = "instance_not_running"


class Reader(NamedTuple):
    """Reads for one evaluation, within its deadline."""

    session: SandboxSession
    access: AwsAccess
    steps: StepPublisher
    deadline: Deadline
    now: datetime

    def instance(self) -> Instance:
        """
        Return the instance, and warn if it is not the one that the session describes.

        :raises NotRunning: the instance is stopped or terminated
        :raises AwsRefused: AWS returned an error
        :raises AwsTimeout: AWS did not respond, or not before the deadline
        """
        instance = describe_instance(self.access, self.session.instance_id, deadline=self.deadline)
        expected = (self.session.instance_type, self.session.availability_zone)
        if expected != (instance.instance_type, instance.zone):
            found = f"{instance.instance_type} in {instance.zone}"
            text = f"The instance is {found}, not {' in '.join(expected)}. Evaluating {found}."
            self.steps.publish("mismatch", log("SCRAPER", text, level="WARNING"))
        if instance.state not in RUNNABLE_STATES:
            raise NotRunning(
                f"{instance.instance_id} is {instance.state}. Start it, then evaluate again."
            )
        return instance

    def signal(self, instance: Instance) -> str:
        """Return the interruption signal: a notice on the spot request, else EventBridge's."""
        received = received_signal(instance_id=instance.instance_id, now=self.now)
        if instance.spot_request_id is None:
            return received
        request = interruption_signal(self.access, instance.spot_request_id, deadline=self.deadline)
        events = "sent no signal" if received == "NONE" else f"sent a {received} signal"
        text = f"The spot request's status is {request.status_code}; EventBridge {events}."
        self.steps.publish("signals", log("SIGNAL", text))
        return request.kind if request.kind != "NONE" else received

    def zone_names(self) -> dict[str, str]:
        """Return the account's zone names by zone id; stored on the session by the first read."""
        if not self.session.zone_names:
            self.session.zone_names = zone_names(self.access, deadline=self.deadline)
            SandboxSession.objects.filter(pk=self.session.pk).update(
                zone_names=self.session.zone_names
            )
        names: dict[str, str] = self.session.zone_names
        return names
