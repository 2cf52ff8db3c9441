"""A server under ENV=PRODUCTION, as clients, proxies and load balancers see it."""

import os
import re
import subprocess
import sys
from urllib.parse import urljoin

import pytest
import urllib3

from spot_optimizer.settings import BASE_DIR
from spot_optimizer.tests.quickstart import until
from spot_optimizer.tests.test_code_rules import PRODUCTION
from spot_optimizer.tests.test_server import RunningServer

METRICS_TOKEN = "tests-only-" + "m" * 40
OVER_TLS = {"Host": "spot.example.com", "X-Forwarded-Proto": "https"}
LINKED = re.compile(r"""(?:href|src)=["'](/static/[^"']+)""")


class Server(RunningServer):
    def request(self, path, **headers):
        return urllib3.request(
            "GET",
            f"http://127.0.0.1:{self.port}{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            redirect=False,
            retries=False,
            timeout=30,
        )


def stop(server):
    server.process.terminate()
    server.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One on a database without tables: the tests of this module need none."""
    folder = tmp_path_factory.mktemp("production")
    database = f"sqlite:///{folder}/db.sqlite3"
    own = {"VAR_DIR": str(folder), "DATABASE_URL": database, "REDIS_URL": ""}
    server = Server(**PRODUCTION, **own, METRICS_TOKEN=METRICS_TOKEN).wait()
    yield server
    stop(server)


@pytest.mark.parametrize("page", ["/admin/login/", "/docs"])
def test_pages_have_their_styles_and_scripts(server, page):
    answer = server.request(page, **OVER_TLS)
    linked = LINKED.findall(answer.data.decode())

    assert answer.status == 200
    assert any(".css" in path for path in linked)
    assert any(".js" in path for path in linked)
    for path in linked:
        assert server.request(urljoin(page, path), **OVER_TLS).status == 200, path


def test_plain_http_is_redirected_to_https(server):
    answer = server.request("/docs?a=b", Host="spot.example.com")

    assert answer.status == 301
    assert answer.headers["Location"] == "https://spot.example.com/docs?a=b"


def test_responses_have_hsts(server):
    assert server.request("/docs", **OVER_TLS).headers["Strict-Transport-Security"]


def test_an_unknown_host_name_is_refused(server):
    answer = server.request("/docs", **OVER_TLS | {"Host": "evil.example"})

    assert (answer.status, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
@pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8000", "[fd00::1]:8000", "spot"])
def test_load_balancers_can_check_health_by_address_over_plain_http(server, path, host):
    answer = server.request(path, Host=host)

    assert (answer.status, answer.json()["status"]) == (200, "ok")


def test_metrics_need_the_token_over_plain_http_too(server):
    token = {"Authorization": f"Bearer {METRICS_TOKEN}"}

    assert server.request("/metrics", Host="10.1.2.3").status == 401
    assert server.request("/metrics", Host="10.1.2.3", **token).status == 200


@pytest.mark.parametrize("path", ["/health/x", "/healthy", "/x/health", "/health/live/"])
def test_no_other_path_is_served_by_address(server, path):
    assert server.request(path, Host="10.1.2.3").status == 400


def test_its_own_health_check_succeeds(server):
    url = f"http://127.0.0.1:{server.port}/health/ready"

    assert checked(url).returncode == 0


def test_its_own_health_check_does_not_follow_redirects(server):
    done = checked(f"http://127.0.0.1:{server.port}/docs")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_without_its_database_its_health_check_fails(tmp_path):
    nowhere = f"sqlite:///{tmp_path}/gone/db.sqlite3"
    server = Server(**PRODUCTION, VAR_DIR=str(tmp_path), DATABASE_URL=nowhere, REDIS_URL="").wait()
    try:
        done = checked(f"http://127.0.0.1:{server.port}/health/ready")
        live = checked(f"http://127.0.0.1:{server.port}/health/live")
    finally:
        stop(server)

    assert (done.returncode, "503" in done.stderr) == (1, True)
    assert live.returncode == 0


def checked(target):
    return subprocess.run(
        [sys.executable, "-m", "spot_optimizer.worker.healthcheck", target],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_fresh_heartbeat_is_healthy_and_a_stale_or_missing_one_is_not(tmp_path):
    file = tmp_path / "heartbeat"
    missing = checked(str(file))
    file.touch()
    fresh = checked(str(file))
    old = file.stat().st_mtime - 3600
    os.utime(file, (old, old))
    stale = checked(str(file))

    assert [done.returncode for done in (missing, fresh, stale)] == [1, 0, 1]
    assert re.search(r"last touched 36\d\d s ago", stale.stderr)


def test_a_worker_touches_its_heartbeat_file(tmp_path):
    heartbeat = tmp_path / "heartbeat"
    unset = {"REDIS_URL": "", "DATABASE_URL": "", "VAR_DIR": str(tmp_path)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "spot_optimizer", "worker", "--pool=solo"],
        cwd=BASE_DIR,
        env={**os.environ, "ENV": "TEST", **unset, "HEARTBEAT_FILE": str(heartbeat)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(heartbeat.exists, seconds=60, what="the heartbeat")
    finally:
        worker.terminate()
        worker.wait(timeout=30)
