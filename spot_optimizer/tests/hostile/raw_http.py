"""Requests as no client library would send them, over a socket of their own."""

import http.client
import json
import socket
from contextlib import contextmanager

import pytest

from spot_optimizer.tests.test_server import RunningServer

JSON = "application/json"


@pytest.fixture(scope="module")
def server(django_db_setup):
    """A real server, which must not once have had an error to log."""
    server = RunningServer(LOG_LEVEL="ERROR", THROTTLE_LOGIN_ADDRESS="100000/min").wait()
    try:
        yield server
    finally:
        output = server.stop()
    for trouble in ("Traceback", " ERROR ", " CRITICAL ", "planted"):
        assert trouble not in output, output[-4000:]
    assert server.process.returncode == 0


@contextmanager
def connected(server, timeout=10):
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as client:
        yield client


def answer_on(client, method="GET"):
    """Read one answer; return its status, headers and body."""
    answer = http.client.HTTPResponse(client, method=method)
    answer.begin()
    return answer.status, answer.headers, answer.read()


def response_to(server, request, method="GET"):
    with connected(server) as client:
        client.sendall(request)
        return answer_on(client, method)


def refused(server, request):
    """Send what must be refused; return status and code, the shape checked."""
    status, headers, body = response_to(server, request)
    error = json.loads(body)
    assert headers["Content-Type"] == JSON
    assert set(error) <= {"detail", "code", "errors"}
    assert error["detail"].endswith(".")
    return status, error["code"]


def head(line, *headers, host="localhost"):
    return "\r\n".join([line, f"Host: {host}", *headers, "", ""]).encode("latin-1")
