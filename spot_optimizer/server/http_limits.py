"""
The edge of the server: what it refuses before the application hears of it, in the one error shape.

Twisted cuts off, or answers with an empty 400, what is too long, too late or no HTTP at all. How
many connections one address may hold is for the proxy to say: behind it all have its own address.
"""

import daphne.server  # isort: skip  # noqa: F401  # first: it installs the reactor

import json
from http import HTTPStatus
from typing import Any, NamedTuple

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.web.http import HTTPChannel

BODY_LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # [bytes] of a request
UPLOAD_LIMIT = 33 * 1024 * 1024  # [bytes] of one that brings a file
REQUEST_WITHIN = 120.0  # [s] from its first byte to its last
FAREWELL = 2.0  # [s] a client may go on sending what nobody reads, or it would miss the answer
CHUNKED = [b"chunked"]
Channel: Any = HTTPChannel  # Twisted's own types of it are half there


class Refusal(NamedTuple):
    status: HTTPStatus
    code: str
    detail: str

    @property
    def body(self) -> bytes:
        return json.dumps({"detail": self.detail, "code": self.code}).encode()

    def as_http(self, *headers: str) -> bytes:
        """Return the whole answer, the last one on its connection."""
        head = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            *headers,
            "Content-Type: application/json",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode("ascii") + self.body


MALFORMED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "malformed",
    "This request cannot be read. Check its address, headers and body.",
)
TOO_LATE = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request came too slowly. Send it again."
)
TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large. Send less."
)
ADDRESS_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long. Shorten its query."
)
HEADERS_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "The headers are too many or too long. Send fewer or shorter ones.",
)
BROKEN = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "error",
    "Something went wrong on our side. It is logged; try again later.",
)
BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "This took too long. Try again in a moment."
)
METHOD = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "A socket opens with GET.")
OF_STATUS = {each.status: each for each in (MALFORMED, BROKEN, BUSY, METHOD)}


def refusal_of(status: int) -> Refusal:
    """Return what we say where Daphne or Autobahn would say a page, or nothing."""
    return OF_STATUS.get(HTTPStatus(status), MALFORMED if status < 500 else BROKEN)


class BoundedChannel(Channel):
    """One connection: says why, before it closes, where Twisted's own just closes."""

    is_refused = False
    clock: Any = None

    def refuse(self, refusal: Refusal) -> None:
        if not self.is_refused:
            self.is_refused = True
            self.stop_the_clock()
            self.transport.write(refusal.as_http())
            self.transport.loseWriteConnection()
            self.callLater(FAREWELL, self.loseConnection)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.is_refused:
            return
        if self.clock is None and not self._handlingRequest:
            # Each byte winds the idle timeout up again: a byte a minute would hold on for ever.
            self.clock = self.callLater(REQUEST_WITHIN, self.refuse, TOO_LATE)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if not self.is_refused:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self.is_refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self.refuse(HEADERS_TOO_LARGE if self._receivedHeaderSize else ADDRESS_TOO_LONG)

    def allContentReceived(self) -> None:  # noqa: N802
        if not self.is_refused:
            self.stop_the_clock()
            super().allContentReceived()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self.stop_the_clock()
        super().connectionLost(reason)

    def stop_the_clock(self) -> None:
        if self.clock is not None and self.clock.active():
            self.clock.cancel()
        self.clock = None

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        is_long = self._receivedHeaderSize > self.totalHeadersSize
        is_much = self._receivedHeaderCount > self.maxHeaders
        self.refuse(HEADERS_TOO_LARGE if is_long or is_much else MALFORMED)

    def _send100Continue(self) -> None:  # noqa: N802
        if not self.is_refused:
            super()._send100Continue()


class BoundedRequest(WebRequest):
    """Answers 413 when a body is declared, or grows, too large: what is behind is not kept."""

    delays_shutdown = True  # when the server stops
    received = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        # Forms are for Django: Twisted would cut off who sends a bad one.
        super().__init__(*args, parsePOSTFormSubmission=False, **options)

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        super().gotLength(length)
        if self.is_ambiguous():
            self.channel.refuse(MALFORMED)
        elif length is not None and length > self.limit:
            self.channel.refuse(TOO_LARGE)

    def is_ambiguous(self) -> bool:
        """Whether a proxy could see another end of this body: then a second request hides in it."""
        codings = self.requestHeaders.getRawHeaders(b"transfer-encoding", [])
        is_chunked = [coding.lower() for coding in codings] == CHUNKED
        is_old = self.channel._version == b"HTTP/1.0"
        return bool(codings) and (is_old or not is_chunked)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self.received += len(data)
        if self.received > self.limit:
            self.channel.refuse(TOO_LARGE)
        if not self.channel.is_refused:
            super().handleContentChunk(data)

    @property
    def limit(self) -> int:
        kinds = self.requestHeaders.getRawHeaders(b"content-type") or [b""]
        return UPLOAD_LIMIT if kinds[0].lower().startswith(b"multipart/") else BODY_LIMIT

    def process(self) -> Any:
        # Daphne takes it for the proxy's word on where we are mounted; here it is a client's.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        # Daphne reads it as ASCII, and would answer 500.
        protocols = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
        if not all(value.isascii() for value in protocols):
            return self.basic_error(HTTPStatus.BAD_REQUEST, b"", "")
        return super().process()

    def shutdown(self) -> None:
        """Let this request be the last one of its connection."""
        if self.finished or self.channel is None:
            return
        self.channel.persistent = False
        if not self._response_started:
            self.setHeader(b"connection", b"close")

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Say it in JSON, where Daphne has a page."""
        refusal = refusal_of(status)
        headers = [(b"Content-Type", b"application/json")]
        if refusal is BUSY:
            headers.append((b"Retry-After", b"5"))
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": refusal.body})
