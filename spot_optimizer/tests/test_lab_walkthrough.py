"""The Lab's walk: assign a model, see it decide, replay what it did, go back to the champion."""

import subprocess
import sys

import pytest

from spot_optimizer.tests.quickstart import Platform

LAB = "/api/v1/lab"


@pytest.fixture
def platform(tmp_path):
    with Platform(tmp_path / "var") as platform:
        yield platform


def manage(platform, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=platform.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def an_admins_token(platform):
    login = platform.request("POST", "/api/v1/auth/login", platform.facts["admin"])
    return login.json()["access_token"]


def active(status):
    parts = {name: part for name, part in status.items() if isinstance(part, dict)}
    return {name for name, part in parts.items() if part["status"] == "active"}


def test_the_walk(platform):
    token = an_admins_token(platform)
    models = platform.request("GET", f"{LAB}/models", token=token).json()["results"]
    challenger = next(model["model_id"] for model in models if model["stage"] == "challenger")
    running = platform.emulator("")["instances"]
    spot = next(each for each in running if each["lifecycle"] == "spot")
    session = platform.create_session(token, spot)
    instance, session_id = session["instance_id"], session["session_id"]

    first = platform.evaluate(session_id, token).json()
    before = platform.request("GET", f"{LAB}/pipeline-status/{instance}", token=token).json()
    wanted = {"instance_id": instance, "model_id": challenger}
    assigned = platform.request("POST", f"{LAB}/assign-model", wanted, token).json()
    second = platform.evaluate(session_id, token).json()
    after = platform.request("GET", f"{LAB}/pipeline-status/{instance}", token=token).json()
    experiments = platform.request("GET", f"{LAB}/experiments/{instance}", token=token).json()
    replayed = [manage(platform, "replay", row["experiment_id"]) for row in experiments["results"]]
    full = {"pipeline_mode": "CLUSTER_FULL"}
    platform.request("PUT", f"{LAB}/config/{instance}", full, token)
    third = platform.evaluate(session_id, token).json()

    assert assigned == {"status": "updated", "mode": "Lab Experiment Active", **wanted}
    assert first["model"]["name"] == "advisor-prior"
    assert second["model"] == {"id": challenger, "name": "market-logistic", "version": "1"}
    assert (first["pipeline_mode"], second["pipeline_mode"]) == ("CLUSTER_FULL", "SINGLE_LINEAR")
    assert first["crash_probability"] != second["crash_probability"]
    assert active(before) - active(after) == {"right_sizing"}
    assert active(after) < active(before)
    trace = {step["stage"]: step for step in second["trace"]}
    assert trace["right_sizing"]["status"] == "disabled"
    assert "market-logistic@1:" in trace["risk"]["note"]
    decisions = [line for line in platform.lines(session_id, token) if line["type"] == "decision"]
    assert [line["evaluation"]["model"] for line in decisions] == [
        first["model"],
        second["model"],
        third["model"],
    ]
    assert [
        (row["evaluation_id"], row["model"], row["inputs_hash"]) for row in experiments["results"]
    ] == [
        (evaluation["evaluation_id"], evaluation["model"], evaluation["inputs_hash"])
        for evaluation in (second, first)
    ]
    for done in replayed:
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("1 replayed, 1 equal.\n")
    assert third["model"] == first["model"]
    assert third["pipeline_mode"] == "CLUSTER_FULL"
