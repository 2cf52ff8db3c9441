"""A worker on SIGTERM finishes its tasks, or requeues them."""

import time

import pytest
import redis
import urllib3

from sandbox.tasks import SHUTDOWN_LIMIT
from spot_optimizer.tests.compose_project import ComposeProject
from spot_optimizer.tests.processes import needs_services
from spot_optimizer.tests.quickstart import until

pytestmark = needs_services


@pytest.fixture
def project(tmp_path, emulator):
    with ComposeProject(tmp_path, ENV="TEST", AWS_ENDPOINT_URL=emulator.url) as project:
        assert project.start("migrate").process.wait(timeout=120) == 0
        yield project


class Owner:
    """A user who opens sessions and starts evaluations without waiting for them."""

    def __init__(self, project, emulator) -> None:
        self.web, self.emulator, self.token = project.start("web").until_healthy(), emulator, ""
        body = {"email": "a@example.com", "username": "a", "password": "SecurePassword123"}
        self.token = self.request("POST", "/auth/register", body)["access_token"]

    def request(self, method, path, body=None, **headers):
        return urllib3.request(
            method,
            f"http://127.0.0.1:{self.web.port}/api/v1{path}",
            json=body,
            headers=headers | ({"Authorization": f"Bearer {self.token}"} if self.token else {}),
            retries=False,
            timeout=30,
        ).json()

    def open_session(self):
        """Create a session, which starts its preflight, and return its path."""
        instance = self.emulator.instances("spot")[0]
        body = {
            "instance_id": instance["instance_id"],
            "instance_type": instance["instance_type"],
            "availability_zone": instance["availability_zone"],
            "aws_region": instance["region"],
            "aws_access_key": self.emulator.access_key,
            "aws_secret_key": self.emulator.secret_key,
        }
        return f"/sandbox/sessions/{self.request('POST', '/sandbox/sessions', body)['session_id']}"

    def evaluate(self, session):
        created = self.request("POST", f"{session}/evaluate", {}, Prefer="respond-async")
        return f"{session}/evaluations/{created['evaluation_id']}"

    def preflight_of(self, session):
        return self.request("GET", session)["preflight"]["state"]

    def messages(self, session):
        lines = self.request("GET", f"{session}/logs?limit=200")["results"]
        return [line["message"] for line in lines if line["type"] == "log"]


def test_a_short_task_is_finished_before_the_stop(project, emulator):
    owner = Owner(project, emulator)
    worker = project.start("worker").until_healthy()
    emulator.delay("GetCallerIdentity", seconds=4)
    session = owner.open_session()
    until(lambda: "sandbox.preflight" in worker.output, what="the preflight")

    code = worker.stop()

    assert (code, owner.preflight_of(session)) == (0, "passed")
    broker = redis.from_url(project.environment["REDIS_URL"])
    assert (broker.llen("celery"), broker.hlen("unacked")) == (0, 0)


def test_a_long_task_is_resumed_at_once_by_another_worker(project, emulator):
    owner = Owner(project, emulator)
    worker = project.start("worker").until_healthy()
    emulator.delay("*", seconds=8, times=1000)  # together longer than a worker waits
    session = owner.open_session()
    evaluation = owner.evaluate(session)
    until(lambda: "Reading i-" in " ".join(owner.messages(session)), what="the evaluation")
    since = time.monotonic()

    code = worker.stop()
    took = time.monotonic() - since
    emulator.reset()
    emulator.deny("ec2:DescribeInstances")  # so that both fail soon
    other = project.start("worker", number=2)
    until(lambda: owner.request("GET", evaluation)["state"] == "failed", seconds=120, what="an end")
    until(lambda: owner.preflight_of(session) == "failed", seconds=120, what="the preflight")

    assert code == 0
    assert SHUTDOWN_LIMIT <= took < SHUTDOWN_LIMIT + 6
    assert "leased by another run" not in other.output  # the first worker released its leases
    messages = owner.messages(session)
    assert sum("Reading i-" in message for message in messages) == 1
    assert sum("Preflight failed" in message for message in messages) == 1
