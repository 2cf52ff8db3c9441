"""The walkthrough: register, create a session, evaluate, stream, end it; and its failures."""

import asyncio
import json
import sqlite3
import subprocess
import sys

import psycopg
import pytest
import redis

from spot_optimizer.tests.quickstart import Platform, until

STAGES = ["input", "hardware", "advisor", "right_sizing", "risk", "safety_gate"]
STAGES += ["ranking", "signal", "output"]
SESSIONS = "/api/v1/sandbox/sessions"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("walk") / "var") as platform:
        yield platform


async def walk(platform, token, session):
    watching = asyncio.create_task(platform.watch(session, after=0))
    own = f"{SESSIONS}/{session['session_id']}"
    await asyncio.to_thread(platform.evaluate, session["session_id"], token)
    evaluated = await asyncio.to_thread(platform.request, "POST", f"{own}/evaluate", {}, token)
    ended = await asyncio.to_thread(platform.request, "DELETE", own, None, token)
    return evaluated, ended, *await watching


def test_a_new_user_streams_a_decision(platform):
    token = platform.register()
    session = platform.create_session(token)

    evaluated, ended, frames, code = asyncio.run(walk(platform, token, session))

    assert evaluated.status == 200, evaluated.data
    assert evaluated.json()["decision"] in ("STAY", "SWITCH")
    assert ended.json()["state"] == "ending"
    assert frames[0]["type"] == "welcome"
    lines = frames[1:]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["stage"] for line in lines if line.get("stage")] == STAGES * 2
    assert len([line for line in lines if line["type"] == "decision"]) == 2
    assert lines[-1]["type"] == "session_ended"
    assert code == 4410


def test_an_asynchronous_evaluation_returns_its_location(platform):
    token = platform.register("patient")
    own = f"{SESSIONS}/{platform.create_session(token)['session_id']}"

    response = platform.request("POST", f"{own}/evaluate", {}, token, Prefer="respond-async")

    assert response.status == 202
    assert response.json()["state"] == "pending"
    where = response.headers["Location"]
    settled = until(
        lambda: (
            (e := platform.request("GET", where, token=token).json())["state"] != "pending" and e
        )
    )
    assert settled["state"] == "decided"


def test_a_refusal_of_aws_is_a_502_with_its_code(platform):
    token = platform.register("refused")
    session = platform.create_session(token, aws_secret_key="wrong")
    own = f"{SESSIONS}/{session['session_id']}"

    response = platform.request("POST", f"{own}/evaluate", {}, token)

    assert response.status == 502
    assert response.json()["code"].startswith("aws_")
    failed = platform.request("GET", f"{own}/evaluations", token=token).json()["results"][0]
    assert failed["state"] == "failed"
    assert platform.request("GET", own, token=token).json()["is_active"] is True


def test_a_rebalance_recommendation_from_eventbridge_drains(platform):
    token = platform.register("drained")
    [spot, *_] = [
        each for each in platform.emulator("")["instances"] if each["lifecycle"] == "spot"
    ]
    session = platform.create_session(token, spot)

    platform.emulator("/rebalance", instance_id=spot["instance_id"])
    response = platform.evaluate(session["session_id"], token)

    assert response.json()["decision"] == "DRAIN", response.data
    assert response.json()["aws_signal"] == "REBALANCE"


def test_documentation_and_health_are_served(platform):
    for path in ("/docs", "/api/schema", "/health", "/health/live", "/health/ready"):
        assert platform.request("GET", path).status == 200, path
    assert platform.request("GET", "/health").json()["dependencies"]["database"] == "ok"
    assert platform.request("GET", "/nowhere").json()["code"] == "not_found"
    assert platform.request("GET", "/api/v1/auth/profile/").status == 404


def test_the_start_logs_the_schedule_of_each_job(platform):
    log = platform.log.read_text()
    assert "Cleanup old job runs (At 03:00 AM UTC)" in log
    assert "Refresh market (every 5 minutes)" in log


def test_evaluates_in_the_terminal(platform):
    instance = platform.facts["instances"][0]
    command = [sys.executable, "manage.py", "evaluate", instance["instance_id"]]
    command += ["--region", instance["region"]]

    as_text = subprocess.run(
        command, env=platform.environment, capture_output=True, text=True, check=False
    )
    as_json = subprocess.run(
        [*command, "--json"], env=platform.environment, capture_output=True, text=True, check=True
    )

    assert as_text.returncode == 0, as_text.stderr
    assert "Candidates, by expected cost" in as_text.stdout
    evaluation = json.loads(as_json.stdout)
    assert evaluation["decision"] in as_text.stdout
    assert [step["stage"] for step in evaluation["trace"]] == STAGES


def test_a_port_in_use_is_reported_without_a_traceback(platform):
    done = subprocess.run(
        [sys.executable, "manage.py", "quickstart", "--port", str(platform.port)],
        env=platform.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert f"Port {platform.port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def own_platform(tmp_path):
    with Platform(tmp_path / "var") as platform:
        yield platform


def test_a_kill_in_mid_evaluation_loses_and_doubles_nothing(own_platform):
    platform = own_platform
    token = platform.register()
    session = platform.create_session(token)
    own = f"{SESSIONS}/{session['session_id']}"
    until(
        lambda: platform.request("GET", own, token=token).json()["preflight"]["state"] == "passed"
    )
    platform.emulator("/delay", action="DescribeSpotPriceHistory", seconds=20, times=5)
    response = platform.request("POST", f"{own}/evaluate", {}, token, Prefer="respond-async").json()
    before = until(
        lambda: (
            (lines := platform.lines(session["session_id"], token))
            and any("from AWS." in line.get("message", "") for line in lines)
            and lines
        )
    )

    platform.kill()
    platform.start()
    where = f"{own}/evaluations/{response['evaluation_id']}"
    settled = until(
        lambda: (
            (e := platform.request("GET", where, token=token).json())["state"] != "pending" and e
        ),
        seconds=60,
    )

    after = platform.lines(session["session_id"], token)
    assert settled["state"] == "decided"
    assert after[: len(before)] == before
    assert [line["seq"] for line in after] == list(range(1, len(after) + 1))
    texts = [line["message"] for line in after if line["type"] == "log"]
    assert len(texts) == len(set(texts))
    assert [line["stage"] for line in after if line.get("stage")] == STAGES
    assert platform.stop() == 0


def test_a_planted_secret_is_found_nowhere(own_platform):
    platform = own_platform
    secret = "PLANTED/secret+of/nobody+0123456789abcdef"
    password = "Planted-Passw0rd-of-nobody"
    session_token = "PLANTEDSESSIONTOKENOFNOBODY" * 4
    body = {"email": "planted@example.com", "username": "planted", "password": password}
    token = platform.request("POST", "/api/v1/auth/register", body).json()["access_token"]
    answers = []
    keys = {"aws_secret_key": secret, "aws_session_token": session_token}
    for field in ({}, {"mode": "live"}, {"aws_region": "xx-nowhere-9"}):
        session = platform.create_session(token, **keys, **field)
        own = f"{SESSIONS}/{session['session_id']}"
        answers += [platform.request("POST", f"{own}/evaluate", {}, token)]
        for path in ("", "/evaluations", "/actions", "/logs", "/iam-policy"):
            answers += [platform.request("GET", own + path, token=token)]
    answers += [
        platform.request("POST", SESSIONS, {**keys, "instance_id": secret}, token),
        platform.request("POST", "/api/v1/auth/login", {"email": 7, "password": password}),
    ]
    last_session = own
    platform.request("DELETE", own, token=token)
    until(lambda: platform.request("GET", last_session, token=token).json()["state"] == "ended")
    stored = database_fingerprint(platform)
    platform.stop()
    on_disk = b"".join(path.read_bytes() for path in platform.var_dir.rglob("*") if path.is_file())
    output = b"".join(answer.data for answer in answers) + platform.log.read_bytes()

    for mark in (secret, session_token, password):
        for place in (output, stored, on_disk):
            assert mark.encode() not in place
            assert json.dumps(mark)[1:-1].encode() not in place


def database_fingerprint(platform):
    """Return every byte of every table, and of the broker where there is one."""
    url = platform.environment["DATABASE_URL"]
    if not url:
        dump = sqlite3.connect(platform.var_dir / "db.sqlite3").iterdump()
        return "\n".join(dump).encode()
    parts = []
    with psycopg.connect(url) as database:
        tables = database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            with database.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:
                parts += [bytes(row) for row in rows]
    broker = redis.from_url(platform.environment["REDIS_URL"])
    parts += [broker.dump(key) or b"" for key in broker.scan_iter()]
    return b"".join(parts)
