"""
Limits on HTTP requests, enforced before the application, with the API's error format.

Twisted itself closes the connection, or sends an empty 400, if a request is too long, too slow or
not HTTP. The number of connections of one address is limited by the proxy, whose address they have.
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
REQUEST_TIMEOUT = 120.0  # [s] from its first byte to its last
CLOSE_DELAY = 2.0  # [s] an immediate close could discard the response before it is read
CHUNKED = [b"chunked"]
Channel: Any = HTTPChannel  # its type annotations are incomplete


class Refusal(NamedTuple):
    status: HTTPStatus
    code: str
    detail: str

    @property
    def body(self) -> bytes:
        return json.dumps({"detail": self.detail, "code": self.code}).encode()

    def as_http(self, *headers: str) -> bytes:
        """Return the whole response; the connection is closed after it."""
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
    "The request cannot be parsed. Check its URL, headers and body.",
)
TOO_LATE = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request was sent too slowly. Send it again."
)
TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large. Send less."
)
ADDRESS_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The URL is too long. Shorten its query."
)
HEADERS_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "The headers are too many or too long. Send fewer or shorter ones.",
)
BROKEN = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "error",
    "An internal error occurred. It has been logged; try again later.",
)
BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "This took too long. Try again in a moment."
)
METHOD = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Open a WebSocket with GET.")
OF_STATUS = {each.status: each for each in (MALFORMED, BROKEN, BUSY, METHOD)}


def refusal_of(status: int) -> Refusal:
    """Return our response where Daphne or Autobahn would send an HTML page or an empty one."""
    return OF_STATUS.get(HTTPStatus(status), MALFORMED if status < 500 else BROKEN)


class BoundedChannel(Channel):
    """A connection that sends the reason before it is closed."""

    is_refused = False
    timeout_call: Any = None
    is_handling = False  # from a request's last byte to the end of its response

    def refuse(self, refusal: Refusal) -> None:
        if not self.is_refused:
            self.is_refused = True
            self.cancel_timeout()
            self.transport.write(refusal.as_http())
            self.transport.loseWriteConnection()
            self.callLater(CLOSE_DELAY, self.loseConnection)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.is_refused:
            return
        if self.timeout_call is None and not self.is_handling:
            # Twisted's idle timeout restarts with each byte: one byte a minute would never end it.
            self.timeout_call = self.callLater(REQUEST_TIMEOUT, self.refuse, TOO_LATE)
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
            self.cancel_timeout()
            self.is_handling = True
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802
        self.is_handling = False
        super().requestDone(request)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self.cancel_timeout()
        super().connectionLost(reason)

    def cancel_timeout(self) -> None:
        if self.timeout_call is not None and self.timeout_call.active():
            self.timeout_call.cancel()
        self.timeout_call = None

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        is_long = self._receivedHeaderSize > self.totalHeadersSize
        is_much = self._receivedHeaderCount > self.maxHeaders
        self.refuse(HEADERS_TOO_LARGE if is_long or is_much else MALFORMED)

    def _send100Continue(self) -> None:  # noqa: N802
        if not self.is_refused:
            super()._send100Continue()


class BoundedRequest(WebRequest):
    """Responds with 413 if the declared or received body is too large."""

    delays_shutdown = True
    received = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        # Django parses forms; Twisted would drop the connection on a malformed one.
        super().__init__(*args, parsePOSTFormSubmission=False, **options)

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        super().gotLength(length)
        if self.is_ambiguous():
            self.channel.refuse(MALFORMED)
        elif length is not None and length > self.limit:
            self.channel.refuse(TOO_LARGE)

    def is_ambiguous(self) -> bool:
        """Whether a proxy may see a different end of the body: request smuggling."""
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
        # Daphne uses it as the mount path; it must come from a proxy, and clients can send it.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        # Daphne decodes it as ASCII and would respond with 500.
        protocols = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
        if not all(value.isascii() for value in protocols):
            return self.basic_error(HTTPStatus.BAD_REQUEST, b"", "")
        return super().process()

    def shutdown(self) -> None:
        """Close the connection after this response."""
        if self.finished or self.channel is None:
            return
        self.channel.persistent = False
        if not self._response_started:
            self.setHeader(b"connection", b"close")

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Send JSON where Daphne sends an HTML page."""
        refusal = refusal_of(status)
        headers = [(b"Content-Type", b"application/json")]
        if refusal is BUSY:
            headers.append((b"Retry-After", b"5"))
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": refusal.body})
