"""The walkthrough with separate processes that share only PostgreSQL and Redis."""

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from spot_optimizer.tests import test_seed
from spot_optimizer.tests.processes import Processes, needs_services
from spot_optimizer.tests.quickstart import until
from spot_optimizer.tests.test_walk import SESSIONS, STAGES

pytestmark = needs_services


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("processes")) as platform:
        yield platform


@pytest.fixture(scope="module")
def walker(platform):
    """A token, after a first evaluation: that one is slow, because it fetches the region."""
    web = platform.webs[0]
    token = web.register("walker")
    session = web.create_session(token)
    assert web.evaluate(session["session_id"], token).json()["state"] == "decided"
    web.request("DELETE", f"{SESSIONS}/{session['session_id']}", token=token)
    return token


def sql(platform, statement, *arguments):
    with psycopg.connect(platform.environment["DATABASE_URL"], autocommit=True) as database:
        done = database.execute(statement, arguments)
        return done.fetchall() if done.description else []


def reschedule(platform, name, every):
    """Change a job's interval as the admin pages do; the beat notices the change."""
    sql(
        platform,
        "WITH soon AS (INSERT INTO django_celery_beat_intervalschedule (every, period)"
        " VALUES (%s, 'seconds') RETURNING id) UPDATE django_celery_beat_periodictask"
        " SET interval_id = soon.id FROM soon WHERE name = %s",
        every,
        name,
    )
    sql(
        platform,
        "INSERT INTO django_celery_beat_periodictasks (ident, last_update) VALUES (1, now())"
        " ON CONFLICT (ident) DO UPDATE SET last_update = now()",
    )


async def walk(platform, token, session):
    first, second = platform.webs
    watching = [asyncio.create_task(web.watch(session, after=0)) for web in platform.webs]
    own = f"{SESSIONS}/{session['session_id']}"
    evaluated = [
        await asyncio.to_thread(web.evaluate, session["session_id"], token)
        for web in (first, second)
    ]
    await asyncio.to_thread(first.request, "DELETE", own, None, token)
    return evaluated, await asyncio.gather(*watching)


def test_two_webs_serve_the_same_sessions(platform, walker):
    session = platform.webs[1].create_session(walker)

    evaluated, watched = asyncio.run(walk(platform, walker, session))

    assert [answer.json()["state"] for answer in evaluated] == ["decided", "decided"]
    (at_first, first_code), (at_second, second_code) = watched
    assert at_first[1:] == at_second[1:]  # all but their welcome
    assert [line["seq"] for line in at_first[1:]] == list(range(1, len(at_first)))
    assert [line["stage"] for line in at_first if line.get("stage")] == STAGES * 2
    assert (first_code, second_code) == (4410, 4410)
    own = f"{SESSIONS}/{session['session_id']}"
    assert platform.webs[1].request("GET", own, token=walker).json()["state"] == "ended"
    query = "SELECT sealed_credentials FROM sandbox_sandboxsession WHERE id = %s"
    assert sql(platform, query, session["session_id"]) == [(None,)]


def test_the_seeds_five_tests_give_the_seeds_answers(platform):
    test_seed.test_the_seeds_five_tests_give_the_seeds_answers(platform.webs[0])


def test_two_workers_run_one_evaluation_once(platform, walker):
    web = platform.webs[0]
    session_id = web.create_session(walker)["session_id"]
    own = f"{SESSIONS}/{session_id}"
    until(lambda: web.request("GET", own, token=walker).json()["preflight"]["state"] == "passed")
    web.emulator("/delay", action="DescribeInstances", seconds=3, times=1)
    created = web.request("POST", f"{own}/evaluate", {}, walker, Prefer="respond-async").json()
    kwargs = {"evaluation_id": created["evaluation_id"]}

    platform.run(
        "python",
        "-c",
        "import spot_optimizer.asgi\n"  # sets Django up
        "from spot_optimizer.celery import app\n"
        f"for _ in range(20): app.send_task('sandbox.evaluate', kwargs={kwargs})",
    )

    where = f"{own}/evaluations/{created['evaluation_id']}"
    until(lambda: web.request("GET", where, token=walker).json()["state"] == "decided")
    time.sleep(1)  # a second run would happen now
    lines = web.lines(session_id, walker)
    assert [line["stage"] for line in lines if line.get("stage")] == STAGES
    assert len([line for line in lines if line["type"] == "decision"]) == 1
    assert len([line for line in lines if line.get("message", "").endswith(" from AWS.")]) == 1
    assert all("sandbox.evaluate[" in worker.output for worker in platform.workers)


def test_login_attempts_are_counted_across_both_webs(platform):
    guess = {"email": "guessed@example.com", "password": "Not-the-password-1"}

    def attempt(number):
        return platform.webs[number % 2].request("POST", "/api/v1/auth/login", guess)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(attempt, range(30)))

    assert Counter(answer.status for answer in answers) == {401: 10, 429: 20}
    refused = [answer for answer in answers if answer.status == 429]
    assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in refused)


def test_the_beat_ends_an_expired_session(platform, walker):
    web = platform.webs[0]
    session_id = web.create_session(walker)["session_id"]
    sql(
        platform,
        "UPDATE sandbox_sandboxsession SET created_at = now() - interval '3 hours',"
        " expires_at = now() - interval '1 hour' WHERE id = %s",
        session_id,
    )

    reschedule(platform, "cleanup_expired_sessions", 2)

    own = f"{SESSIONS}/{session_id}"
    until(lambda: web.request("GET", own, token=walker).json()["state"] == "ended")
    last = web.lines(session_id, walker)[-1]
    assert (last["type"], last["reason"]) == ("session_ended", "expired")


def test_the_beat_corrects_the_session_counts(platform, walker):
    web = platform.webs[0]
    sql(platform, "UPDATE accounts_user SET active_sessions_count = 77")

    reschedule(platform, "update_session_counts", 2)

    profile = "/api/v1/auth/profile"
    until(lambda: web.request("GET", profile, token=walker).json()["active_sessions_count"] != 77)


def test_the_beat_refreshes_the_market(platform, walker):
    web = platform.webs[0]
    web.create_session(walker)  # its credentials are used for the refresh
    before = web.emulator("/requests")["requests"][-1]["n"]

    reschedule(platform, "refresh_market", 2)

    def price_requests():
        requests = web.emulator(f"/requests?after={before}")["requests"]
        return [each for each in requests if "DescribeSpotPriceHistory" in json.dumps(each)]

    until(price_requests)


def test_every_process_stops_on_sigterm(platform):
    codes = {process.name: process.stop() for process in platform.all}

    assert codes == dict.fromkeys(codes, 0)
