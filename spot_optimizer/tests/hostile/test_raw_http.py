"""What is no proper HTTP gets an answer all the same: one shape, a code, and the server goes on."""

import json
import time
from contextlib import ExitStack

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from spot_optimizer.server.http_limits import CLOSE_DELAY, REQUEST_TIMEOUT, BoundedChannel
from spot_optimizer.tests.hostile.raw_http import (
    answer_on,
    connected,
    head,
    refused,
    response_to,
    server,
)

__all__ = ["server"]
PROFILE = "/api/v1/auth/profile"
LOGIN = "/api/v1/auth/login"
UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


@pytest.fixture(autouse=True)
def alive(server):
    """Whatever was sent, the next one is served."""
    yield
    assert response_to(server, head("GET /health/live HTTP/1.1"))[0] == 200


class TestTooLong:
    @pytest.mark.parametrize("length", [17_000, 100_000, 5_000_000])
    def test_an_address_is_414(self, server, length):
        request = head(f"GET {PROFILE}?limit={'9' * length} HTTP/1.1")

        assert refused(server, request) == (414, "uri_too_long")

    @pytest.mark.parametrize("name", ["Authorization", "Cookie", "Accept", "X-Unheard-Of"])
    @pytest.mark.parametrize("length", [17_000, 1_000_000])
    def test_a_header_is_431(self, server, name, length):
        request = head(f"GET {PROFILE} HTTP/1.1", f"{name}: Bearer {'x' * length}")

        assert refused(server, request) == (431, "headers_too_large")

    @pytest.mark.parametrize("each", ["X-{}: 1", "X-{}: " + "x" * 300])
    def test_too_many_headers_are_431(self, server, each):
        request = head(f"GET {PROFILE} HTTP/1.1", *(each.format(n) for n in range(600)))

        assert refused(server, request) == (431, "headers_too_large")

    def test_a_long_address_that_fits_is_read(self, server):
        status, _, body = response_to(server, head(f"GET {PROFILE}?x={'9' * 15_000} HTTP/1.1"))

        assert (status, json.loads(body)["code"]) == (401, "not_authenticated")

    def test_a_client_waiting_for_100_continue_with_a_large_body_is_refused(self, server):
        request = head(f"POST {LOGIN} HTTP/1.1", "Expect: 100-continue", f"Content-Length: {2**30}")

        assert refused(server, request) == (413, "too_large")


@pytest.mark.parametrize(
    "request_",
    [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        head("GET / HTTP/1.1", "No colon"),
        head("GET / HTTP/1.1", ": no name"),
        head("GET / HTTP/1.1", "Space : before the colon"),
        head("GET / HTTP/1.1", "X: a\nb"),
        head("GET / HTTP/1.1", "X: a\x00b"),
        head("GET / HTTP/1.1", "X(): a"),
        head("GET /\x90 HTTP/1.1"),
        head("GET /?\x90 HTTP/1.1"),
    ],
)
def test_a_request_that_is_not_http_is_malformed(server, request_):
    assert refused(server, request_) == (400, "malformed")


class TestTwoEndsOfOneBody:
    """A proxy that saw the other end would take the rest for a request of its own."""

    @pytest.mark.parametrize(
        "headers",
        [
            ["Content-Length: 5", "Content-Length: 6"],
            ["Content-Length: 5", "Content-Length: 5"],
            ["Content-Length: 5, 5"],
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked", "Content-Length: 5"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: identity", "Content-Length: 5"],
            ["Transfer-Encoding: identity, chunked"],
            ["Transfer-Encoding: chunked, identity"],
            ["Transfer-Encoding: gzip, chunked"],
            ["Transfer-Encoding: xchunked"],
            ["Transfer-Encoding: \x0bchunked"],
            ["Transfer-Encoding : chunked"],
            ["Content-Length : 5"],
            ["Content-Length: +5"],
            ["Content-Length: -5"],
            ["Content-Length: 0x5"],
            ["Content-Length: 5 6"],
            ["Content-Length: ²"],
            ["Content-Length: "],
            ["Content-Length: 5\n", "X: 1"],
            ["Content-Length: 5\r\n 6"],
        ],
    )
    def test_is_refused_and_nothing_behind_it_is_read(self, server, headers):
        hidden = head(f"GET {PROFILE} HTTP/1.1")
        with connected(server) as client:
            client.sendall(head(f"POST {LOGIN} HTTP/1.1", *headers) + b"0\r\n\r\n" + hidden)
            status, _, body = answer_on(client)
            rest = client.recv(65_536)

        assert (status, json.loads(body)["code"], rest) == (400, "malformed", b"")

    def test_is_refused_of_an_old_client_too(self, server):
        request = head(f"POST {LOGIN} HTTP/1.0", "Transfer-Encoding: chunked")

        assert refused(server, request + b"0\r\n\r\n") == (400, "malformed")

    @pytest.mark.parametrize(
        "chunk", [b"0x5\r\nhello", b"-1", b"5;\n\r\nhello", b"g", b"5\r\nhelloo", b" 5\r\nhello"]
    )
    def test_an_invalid_chunk_is_refused(self, server, chunk):
        request = head(f"POST {LOGIN} HTTP/1.1", "Transfer-Encoding: chunked")

        assert refused(server, request + chunk + b"\r\n0\r\n\r\n") == (400, "malformed")


class TestMethods:
    @pytest.mark.parametrize("method", ["TRACE", "FOO", "PROPFIND", "M-SEARCH", "X" * 2000])
    @pytest.mark.parametrize("path", [LOGIN, "/health", "/docs", "/api/schema"])
    def test_unknown_methods_are_405(self, server, method, path):
        assert refused(server, head(f"{method} {path} HTTP/1.1")) == (405, "method_not_allowed")

    @pytest.mark.parametrize("target", ["evil.example:443", "127.0.0.1:22", "*", "*:*"])
    @pytest.mark.parametrize("method", ["CONNECT", "OPTIONS", "GET"])
    def test_a_request_for_another_target_is_refused(self, server, method, target):
        assert refused(server, head(f"{method} {target} HTTP/1.1"))[0] in (400, 404)

    def test_a_trace_returns_no_header(self, server):
        secret = "Bearer planted-token"
        _, _, body = response_to(
            server, head(f"TRACE {PROFILE} HTTP/1.1", f"Authorization: {secret}")
        )

        assert b"planted-token" not in body


@pytest.mark.parametrize(
    "headers",
    [
        ["Daphne-Root-Path: \xff"],
        ["Daphne-Root-Path: //evil.example"],
        ["Range: bytes=0-1,5-9,-0"],
        ["If-Modified-Since: never", "If-None-Match: *"],
        ["If-Match: \xff"],
        ["X-Forwarded-For: " + "1," * 500, "X-Forwarded-Proto: \xff", "X-Forwarded-Host: evil"],
        ['Forwarded: for="_gazonk"', "X-Real-IP: ::"],
        ["Accept-Encoding: gzip;q=nan", "Accept-Language: " + "x," * 500],
        ["Cookie: sessionid=\xff\xfe; csrftoken=" + "x" * 5000],
        ["Cookie: " + "a=b; " * 2000],
        ["Content-Type: \xff"],
        ["Connection: close, keep-alive, \xff"],
        ["Expect: 100-continue", "Expect: 200-maybe"],
        ["Prefer: wait=\xff"],
        ["Authorization: Bearer \xff\xfe"],
        ["Authorization: Bearer " + "x." * 7000],
        ["Authorization: Bearer a", "Authorization: Bearer b"],
        ["Transfer-Encoding: identity"],
    ],
)
@pytest.mark.parametrize("path", [PROFILE, "/health/live", "/docs", "/admin/", "/nowhere"])
def test_strange_headers_break_nothing(server, headers, path):
    status, answered, body = response_to(server, head(f"GET {path} HTTP/1.1", *headers))

    assert status in (200, 302, 400, 401, 404)
    assert "evil" not in answered.get("Location", "")
    assert b"evil" not in body


@pytest.mark.parametrize("host", ["evil.example", "", "localhost, evil.example", "localhost:99999x",
                                  "[::1", "localhost\xff", "x" * 5000])  # fmt: skip
@pytest.mark.parametrize("path", [PROFILE, "/docs", "/admin/"])
def test_another_host_is_malformed(server, host, path):
    assert refused(server, head(f"GET {path} HTTP/1.1", host=host)) == (400, "malformed")


class TestSockets:
    PATH = "/api/v1/ws/sandbox/x"

    @pytest.mark.parametrize(
        "headers",
        [
            UPGRADE[:2],
            UPGRADE[:3],
            [*UPGRADE[:2], UPGRADE[3]],
            [*UPGRADE[:2], "Sec-WebSocket-Version: 7", UPGRADE[3]],
            [*UPGRADE[:2], "Sec-WebSocket-Version: x", UPGRADE[3]],
            [*UPGRADE[:3], "Sec-WebSocket-Key: short"],
            [*UPGRADE[:3], "Sec-WebSocket-Key: ========================"],
            [*UPGRADE[:3], UPGRADE[3], UPGRADE[3]],
            [*UPGRADE[1:]],
            [*UPGRADE, "Sec-WebSocket-Protocol: \xff"],
            [*UPGRADE, "Sec-WebSocket-Protocol: a, a"],
            [*UPGRADE, "Sec-WebSocket-Extensions: permessage-deflate; =;;"],
        ],
    )
    def test_an_invalid_handshake_is_malformed(self, server, headers):
        status, code = refused(server, head(f"GET {self.PATH} HTTP/1.1", *headers))

        assert (status, code) == (400, "malformed")

    @pytest.mark.parametrize("method", ["POST", "PUT", "FOO"])
    def test_another_method_opens_none(self, server, method):
        request = head(f"{method} {self.PATH} HTTP/1.1", *UPGRADE)

        assert refused(server, request) == (405, "method_not_allowed")

    @pytest.mark.parametrize("path", ["//[", "http://[/", "/#x", "?after=0", "http://evil/x"])
    def test_a_strange_address_breaks_nothing(self, server, path):
        status, _, _ = response_to(server, head(f"GET {path} HTTP/1.1", *UPGRADE))

        assert status in (101, 400)


class Transport(StringTransport):
    def loseWriteConnection(self):  # noqa: N802
        """A half-close, which Twisted's own stand-in lacks."""


class TestSlowClients:
    def test_half_a_request_is_waited_for(self, server):
        request = head("GET /health/live HTTP/1.1")
        with connected(server) as client:
            for byte in request:
                client.sendall(bytes([byte]))
                time.sleep(0.002)
            assert answer_on(client)[0] == 200

    def test_a_slow_request_times_out_even_if_bytes_arrive(self):
        clock, channel, transport = Clock(), BoundedChannel(), Transport()
        channel.callLater = clock.callLater
        channel.requestFactory = lambda *_: None
        channel.makeConnection(transport)

        channel.dataReceived(b"GET /")
        for _ in range(int(REQUEST_TIMEOUT) + 3):
            assert not transport.disconnected
            clock.advance(1)
            channel.dataReceived(b"x")

        answered = transport.value()
        assert answered.startswith(b"HTTP/1.1 408 ")
        assert b'"code": "request_timeout"' in answered
        clock.advance(CLOSE_DELAY)
        assert transport.disconnecting

    def test_five_hundred_half_requests_do_not_affect_others(self, server):
        with ExitStack() as slow:
            for _ in range(500):
                client = slow.enter_context(connected(server))
                client.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: local")
            assert response_to(server, head("GET /health/live HTTP/1.1"))[0] == 200
