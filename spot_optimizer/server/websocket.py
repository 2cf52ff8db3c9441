"""Daphne's WebSocket protocol with bounded queues, readable errors and an orderly close."""

import daphne.server  # isort: skip  # noqa: F401  # first: it installs the reactor

from functools import lru_cache
from typing import Any

from autobahn.websocket.protocol import PreparedMessage
from daphne.ws_protocol import WebSocketProtocol
from django.utils import timezone

from spot_optimizer.server.http_limits import refusal_of
from streaming.frames import encode, instant

RECEIVE_QUEUE_LIMIT = 100  # messages of one client that wait for the consumer
TOO_SLOW = 4408
RESTARTING = 1012  # not 1001: clients take 1001 for a normal end and do not reconnect
RESTART_REASON = b"The server is restarting. Reconnect with ?after= and the last seq you received."
TOO_SLOW_DETAIL = (
    "The client reads too slowly. Reconnect with ?after= and the last seq you received."
)


@lru_cache(maxsize=64)
def _encoded_frame(text: str) -> bytes:
    """Return the bytes on the wire; cached, because all watchers of a session get the same."""
    frame = PreparedMessage(text.encode(), isBinary=False, applyMask=False, doNotCompress=True)
    payload: bytes = frame.payloadHybi
    return payload


class WatcherProtocol(WebSocketProtocol):
    is_paused = False
    delays_shutdown = False  # a closed WebSocket is not waited for; `BoundedRequest` sets True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803, FBT001
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() > RECEIVE_QUEUE_LIMIT:
            self.is_paused = True
            self.transport.pauseProducing()

    def handle_reply(self, message: dict[str, Any]) -> None:
        super().handle_reply(message)
        if self.is_paused and self.application_queue.qsize() <= RECEIVE_QUEUE_LIMIT // 2:
            self.resume_reading()

    def resume_reading(self) -> None:
        self.is_paused = False
        self.transport.resumeProducing()

    def serverSend(self, content: str, binary: bool = False) -> None:  # noqa: N802, FBT001, FBT002
        if self.state in (self.STATE_CLOSING, self.STATE_CLOSED):  # Autobahn would log an error
            return
        if binary or self.state != self.STATE_OPEN:
            super().serverSend(content, binary)
        else:
            self.transport.write(_encoded_frame(content))

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        # Daphne uses sendClose, which rejects 1011, the code for an internal error.
        self.sendCloseFrame(code=1000 if code is None else code)

    def shutdown(self) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=RESTARTING, reasonUtf8=RESTART_REASON)
            self.resume_reading()  # to receive the client's close frame

    def sendHttpErrorResponse(  # noqa: N802
        self,
        code: int,
        reason: str,
        responseHeaders: list[tuple[str, str]] | None = None,  # noqa: N803
    ) -> None:
        headers = [f"{name}: {value}" for name, value in responseHeaders or []]
        self.sendData(refusal_of(code).as_http(*headers))

    def close_slow_client(self) -> None:
        """Close with 4408; a client that reads again receives the reason."""
        error = {"type": "error", "code": "too_slow", "detail": TOO_SLOW_DETAIL}
        self.serverSend(encode({**error, "timestamp": instant(timezone.now())}))
        self.serverClose(TOO_SLOW)
        self.resume_reading()  # to receive the client's close frame
