"""Interruptions and rebalance recommendations, triggered over the control API."""

import threading
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from string import ascii_lowercase
from typing import Any

import urllib3
from moto.ec2.models.instances import Instance, InstanceState, StateReason

from spot_optimizer.emulator.account import Account, instances

NOTICE = timedelta(minutes=2)
HEADER = "X-Spot-Optimizer-Secret"
REBALANCE = "EC2 Instance Rebalance Recommendation"
INTERRUPTION = "EC2 Spot Instance Interruption Warning"


class NoSuchSpotInstance(Exception):
    """No running spot instance has this id."""


class EventBus:
    """EventBridge with one API destination, or with none."""

    def __init__(self, url: str | None, secret: str) -> None:
        self._url = url
        self._secret = secret

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """Deliver an event without retries; return the result."""
        if not self._url:
            return {"delivered": False, "detail": "No destination: start with --eventbridge-url."}
        try:
            response = urllib3.request(
                "POST",
                self._url,
                json=event,
                headers={HEADER: self._secret},
                timeout=5,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return {"delivered": False, "detail": f"{type(error).__name__}: no response."}
        return {"delivered": response.status < 300, "status": response.status}


class Signals:
    """The interrupted spot instances with the time of each interruption."""

    def __init__(self, account: Account, bus: EventBus) -> None:
        self._account = account
        self._bus = bus
        self._lock = threading.Lock()
        self._interrupted: dict[str, datetime] = {}

    def interrupt(self, instance_id: str, now: datetime) -> dict[str, Any]:
        """
        Interrupt a spot instance: its request is closed now, it terminates in two minutes.

        A second interruption changes nothing and sends no event.

        :raises NoSuchSpotInstance: no such spot instance runs
        """
        instance = self._running_spot(instance_id)
        with self._lock:
            if instance_id in self._interrupted:
                return {"delivered": False, "detail": "It is already being interrupted."}
            self._interrupted[instance_id] = now
        detail = {"instance-id": instance_id, "instance-action": "terminate"}
        # The ARN of this event contains the zone, in place of region and account.
        arn = f"arn:aws:ec2:{instance.availability_zone}:instance/{instance_id}"
        return self._bus.send(self._event(INTERRUPTION, arn, detail, now))

    def rebalance(self, instance_id: str, now: datetime) -> dict[str, Any]:
        """
        Recommend a rebalance. As in EC2, only the event reports it.

        :raises NoSuchSpotInstance: no such spot instance runs
        """
        instance = self._running_spot(instance_id)
        arn = f"arn:aws:ec2:{instance.region_name}:{self._account.id}:instance/{instance_id}"
        return self._bus.send(self._event(REBALANCE, arn, {"instance-id": instance_id}, now))

    def interrupted_at(self, instance_id: str) -> datetime | None:
        return self._interrupted.get(instance_id)

    def terminate_due(self, now: datetime) -> None:
        """Terminate the instances whose two-minute notice is over."""
        for instance in self._of(self._interrupted):
            since = self._interrupted.get(instance.id)
            if since and since + NOTICE <= now and instance.state == "running":
                instance._state = InstanceState("terminated", 48)
                instance._reason = "Server.SpotInstanceTermination"
                instance.state_reason = StateReason(
                    "Server.SpotInstanceTermination: Instance terminated by Spot",
                    "Server.SpotInstanceTermination",
                )

    def clear(self) -> None:
        """Undo all interruptions; terminated instances run again."""
        with self._lock:
            for instance in self._of(self._interrupted):
                if instance._reason == "Server.SpotInstanceTermination":
                    instance._state = InstanceState("running", 16)
                    instance._reason, instance.state_reason = "", StateReason()
            self._interrupted = {}

    def _of(self, ids: Iterable[str]) -> list[Instance]:
        wanted = set(ids)
        return [i for i in instances(self._account) if i.id in wanted] if wanted else []

    def _running_spot(self, instance_id: str) -> Instance:
        for instance in self._of([instance_id]):
            if instance.lifecycle == "spot" and instance.state == "running":
                return instance
        raise NoSuchSpotInstance(f"No spot instance {instance_id!r} is running.")

    def _event(
        self, detail_type: str, arn: str, detail: dict[str, str], now: datetime
    ) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": "aws.ec2",
            "account": self._account.id,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": _region_of(arn),
            "resources": [arn],
            "detail": detail,
        }


def _region_of(arn: str) -> str:
    return arn.split(":")[3].rstrip(ascii_lowercase)
