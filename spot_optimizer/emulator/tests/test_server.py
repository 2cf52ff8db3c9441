import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import urllib3

from spot_optimizer.emulator.testing import ROOT

COMMAND = [sys.executable, "-m", "spot_optimizer.emulator"]


@contextmanager
def started(*arguments, **pipes):
    command = [*COMMAND, "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()  # only if it is still running


def test_prints_a_json_line_and_then_the_disclaimer(emulator):
    with started() as process:
        ready = json.loads(process.stdout.readline())
        sentence = process.stdout.readline().decode()
        process.terminate()

    assert ready["url"].startswith("http://127.0.0.1:")
    assert ready["access_key"] == emulator.access_key
    assert "not AWS" in sentence


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_and_quickly_on_a_signal(number):
    with started(stderr=subprocess.PIPE) as process:
        url = json.loads(process.stdout.readline())["url"]
        urllib3.request("GET", f"{url}/_emulator")
        begin = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert time.monotonic() - begin < 3
    assert process.returncode == 0
    assert errors == b""


def test_with_parent_watch_it_stops_when_its_parent_ends():
    with started("--parent-watch", stdin=subprocess.PIPE) as process:
        process.stdout.readline()

        process.stdin.close()

        assert process.wait(timeout=10) == 0


def test_a_port_in_use_is_reported_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        outcome = subprocess.run(
            [*COMMAND, "--port", str(port)], cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    assert outcome.returncode == 1
    assert outcome.stdout == ""
    [sentence] = outcome.stderr.splitlines()
    assert f"127.0.0.1:{port}" in sentence


def test_an_invalid_port_is_reported_in_one_line():
    outcome = subprocess.run(
        [*COMMAND, "--port", "99999"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert outcome.returncode == 1
    assert len(outcome.stderr.splitlines()) == 1
