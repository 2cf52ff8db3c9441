"""A database that takes connections and says nothing holds up neither health nor metrics."""

import os
import socket
import subprocess
import sys
import time

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from spot_optimizer.tests.quickstart import ROOT, free_port


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    """A server of its own, whose database hangs."""
    folder, port = tmp_path_factory.mktemp("hanging"), free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent, (folder / "log").open("wb") as log:
        environment = os.environ | {
            "VAR_DIR": str(folder),
            "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none",
            "REDIS_URL": "",
            "API_PORT": str(port),
            "DJANGO_SETTINGS_MODULE": "spot_optimizer.tests.settings",
        }
        command = [sys.executable, "-m", "spot_optimizer.server"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until_it_lives(url, server)
            yield url
        finally:
            server.kill()
            server.wait()


def until_it_lives(url, server):
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        assert server.poll() is None
        try:
            if get(f"{url}/health/live").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


def get(url):
    """Ask as a load balancer does: who does not answer in 15 s is taken for dead."""
    return urllib3.request("GET", url, retries=False, timeout=15)


def test_health_names_it_and_what_to_do(base_url):
    answers = [get(f"{base_url}/health") for _ in range(3)]

    for answer in answers:
        body = answer.json()
        assert answer.status == 503
        assert body["dependencies"] == {"database": "down", "broker": "ok", "cache": "ok"}
        assert body["background"] == {"worker": "unknown", "schedule": "unknown"}
        assert "DATABASE_URL" in body["detail"]


def test_metrics_of_the_process_are_served_without_the_database(base_url):
    text = get(f"{base_url}/metrics").data.decode()

    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["spot_optimizer_rows_readable"].samples[0].value == 0
    assert "spot_optimizer_http_requests" in found
    assert "spot_optimizer_sessions" not in found
