"""The Lab's walk: assign a model, see it decide, replay what it did, go back to the champion."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.testing import a_user, signed_in
from lab.testing import a_challenger
from sandbox.jobs import evaluations
from streaming.models import Line

LAB = "/api/v1/lab"
SESSIONS = "/api/v1/sandbox/sessions"
pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher():
    return signed_in(a_user("lab"))


def opened(client, market):
    [spot, *_] = [each for each in market.instances() if each["lifecycle"] == "spot"]
    body = {
        "instance_id": spot["instance_id"],
        "instance_type": spot["instance_type"],
        "availability_zone": spot["availability_zone"],
        "aws_region": spot["region"],
        "aws_access_key": market.access_key,
        "aws_secret_key": market.secret_key,
    }
    return client.post(SESSIONS, body, format="json").json()


def evaluated(client, session):
    """Ask for an evaluation, let a worker settle it, and read it as a client does."""
    own = f"{SESSIONS}/{session['session_id']}"
    from sandbox.models import SandboxSession
    from sandbox.services import request_evaluation

    row = SandboxSession.objects.get(pk=session["session_id"])
    asked = request_evaluation(session=row, now=timezone.now())
    evaluations.evaluate(evaluation_id=asked.pk, now=timezone.now())
    return client.get(f"{own}/evaluations/{asked.pk}").json()


def active_stages(status):
    return [
        name
        for name, part in status.items()
        if isinstance(part, dict) and part["status"] == "active"
    ]


def test_the_walk(researcher, market, capsys):
    challenger = a_challenger(name="twice-the-prior")
    session = opened(researcher, market)
    instance = session["instance_id"]

    first = evaluated(researcher, session)
    before = researcher.get(f"{LAB}/pipeline-status/{instance}").json()
    assigned = researcher.post(
        f"{LAB}/assign-model",
        {"instance_id": instance, "model_id": str(challenger.pk)},
        format="json",
    )
    second = evaluated(researcher, session)
    after = researcher.get(f"{LAB}/pipeline-status/{instance}").json()

    assert assigned.json() == {
        "status": "updated",
        "mode": "Lab Experiment Active",
        "instance_id": instance,
        "model_id": str(challenger.pk),
    }
    assert first["model"]["name"] == "advisor-prior"
    assert second["model"]["name"] == "twice-the-prior"
    assert (first["pipeline_mode"], second["pipeline_mode"]) == ("CLUSTER_FULL", "SINGLE_LINEAR")
    assert second["crash_probability"] > first["crash_probability"]
    assert len(active_stages(after)) < len(active_stages(before))
    steps = {step["stage"]: step for step in second["trace"]}
    assert steps["right_sizing"]["status"] == "disabled"
    assert "twice-the-prior" in steps["risk"]["note"]
    lines = Line.objects.filter(stream=session["session_id"], type="decision")
    assert [line.body["evaluation"]["model"]["name"] for line in lines] == [
        "advisor-prior",
        "twice-the-prior",
    ]
    experiments = researcher.get(f"{LAB}/experiments/{instance}").json()["results"]
    assert [row["evaluation_id"] for row in experiments] == [
        second["evaluation_id"],
        first["evaluation_id"],
    ]
    assert [row["model"] for row in experiments] == [second["model"], first["model"]]
    assert experiments[0]["inputs_hash"] == second["inputs_hash"]
    for row in experiments:
        call_command("replay", row["experiment_id"])
    assert capsys.readouterr().out.count("the same.") == 2

    researcher.put(f"{LAB}/config/{instance}", {"pipeline_mode": "CLUSTER_FULL"}, format="json")
    third = evaluated(researcher, session)

    assert third["model"] == first["model"]
    assert third["pipeline_mode"] == "CLUSTER_FULL"
    assert third["crash_probability"] == first["crash_probability"]
