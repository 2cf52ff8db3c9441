"""
Daphne with back-pressure: who reads nothing costs one connection, not the server's memory.

Start it with ``python -m spot_optimizer.server``; quick start and compose both use it.
"""

import daphne.server  # isort: skip  # first: it installs the reactor

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from autobahn.websocket.protocol import PreparedMessage
from daphne.endpoints import build_endpoint_description_strings
from daphne.ws_protocol import WebSocketProtocol
from django.utils import timezone
from twisted.internet.defer import Deferred

from spot_optimizer.asgi import application
from spot_optimizer.server.http_limits import BoundedChannel, BoundedRequest, refusal_of
from spot_optimizer.server.shutdown import drain, end_within
from streaming.frames import encode, instant

logger = logging.getLogger(__name__)
logging.getLogger("daphne").setLevel(logging.WARNING)

UNSENT_LIMIT = 1024 * 1024  # [bytes] what may wait for one client
PATIENCE = 5.0  # [s] for a client at its limit to take anything
FRAME_LIMIT = 64 * 1024  # [bytes] a client may send at once
MESSAGE_LIMIT = 1024 * 1024  # [bytes] in either direction
INBOX = 100  # messages of one client that may wait to be looked at
TOO_SLOW = 4408
RESTARTING = 1012  # not 1001: clients take that for a good end, and do not come again
COME_AGAIN = b"We restart. Connect again with ?after= and the last seq you saw."
STOP_WITHIN = 17.0  # [s] a little longer than `drain` may take


class ClientGone(OSError):
    """Nobody takes what is sent there."""


@lru_cache(maxsize=64)
def _framed(text: str) -> bytes:
    """Return a line as it goes over the wire: the same to all its watchers, so made once."""
    frame = PreparedMessage(text.encode(), isBinary=False, applyMask=False, doNotCompress=True)
    sent: bytes = frame.payloadHybi
    return sent


class WatcherProtocol(WebSocketProtocol):
    is_paused = False
    is_waited_for = False  # beyond its close frame, when the server stops

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803, FBT001
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() > INBOX:
            self.is_paused = True
            self.transport.pauseProducing()

    def handle_reply(self, message: dict[str, Any]) -> None:
        super().handle_reply(message)
        if self.is_paused and self.application_queue.qsize() <= INBOX // 2:
            self.read_on()

    def read_on(self) -> None:
        self.is_paused = False
        self.transport.resumeProducing()

    def serverSend(self, content: str, binary: bool = False) -> None:  # noqa: N802, FBT001, FBT002
        if self.state in (self.STATE_CLOSING, self.STATE_CLOSED):  # or it would be an error
            return
        if binary or self.state != self.STATE_OPEN:
            super().serverSend(content, binary)
        else:
            self.transport.write(_framed(content))

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        # sendClose would refuse 1011, which tells a client that this is our fault.
        self.sendCloseFrame(code=1000 if code is None else code)

    def go_away(self) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=RESTARTING, reasonUtf8=COME_AGAIN)
            self.read_on()  # or its answer would not be heard

    def sendHttpErrorResponse(  # noqa: N802
        self,
        code: int,
        reason: str,
        responseHeaders: list[tuple[str, str]] | None = None,  # noqa: N803
    ) -> None:
        headers = [f"{name}: {value}" for name, value in responseHeaders or []]
        self.sendData(refusal_of(code).as_http(*headers))

    def turn_away(self) -> None:
        """Close a client that does not read; if it begins to, it learns why and comes again."""
        detail = "You read too slowly. Connect again with ?after= and the last seq you saw."
        error = {"type": "error", "code": "too_slow", "detail": detail}
        self.serverSend(encode({**error, "timestamp": instant(timezone.now())}))
        self.serverClose(TOO_SLOW)
        self.read_on()  # or its answer would not be heard


class Server(daphne.server.Server):
    """
    Daphne's server, but sending waits while a client has `UNSENT_LIMIT` to take.

    A client that takes nothing for `PATIENCE` is closed with 4408; HTTP is just cut off.
    """

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """:raises ClientGone: the client has taken nothing for too long"""
        await super().handle_reply(protocol, message)
        since = time.monotonic()
        while (transport := _transport_of(protocol)) and _unsent(transport) > UNSENT_LIMIT:
            if time.monotonic() - since > PATIENCE:
                _give_up(protocol, transport)
            await asyncio.sleep(0.05)

    def listen_success(self, port: Any) -> Any:
        super().listen_success(port)
        return port  # or it would be lost, and could not be closed

    def kill_all_applications(self) -> Deferred[None]:
        """Stop gently: Twisted calls this at a signal, and goes on when it is done."""
        end_within(STOP_WITHIN)
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        draining = Deferred.fromFuture(asyncio.ensure_future(drain(self.connections)))
        # Twisted would go on without a word.
        return draining.addErrback(lambda failure: logger.error("stopping", exc_info=failure.value))

    def use_our_protocols(self) -> None:
        self.http_factory.protocol = BoundedChannel
        build = self.http_factory.buildProtocol

        def build_bounded(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = BoundedRequest
            return protocol

        self.http_factory.buildProtocol = build_bounded
        self.http_factory.log = lambda _: None  # or each request is written down for nobody
        self.ws_factory.protocol = WatcherProtocol
        self.ws_factory.setProtocolOptions(
            failByDrop=False,  # a close code says more than a cut
            closeHandshakeTimeout=10,
            allowNullOrigin=True,  # our own check says no, and why
        )


def build_server(
    host: str, port: int, on_ready: Callable[[], None] = lambda: None
) -> daphne.server.Server:
    """
    Return the server of the whole application; its ``run()`` blocks, on the main thread.

    ``on_ready`` is called when it listens. Look whether the port is free before.
    """

    def ready() -> None:
        server.use_our_protocols()
        on_ready()

    server = Server(
        application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        verbosity=0,
        server_name="spot-optimizer",
        websocket_max_frame_size=FRAME_LIMIT,
        websocket_max_message_size=MESSAGE_LIMIT,
        ready_callable=ready,
    )
    return server


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def _transport_of(protocol: Any) -> Any:
    """Return the TCP connection below a WebSocket or a request, None when it is gone."""
    if isinstance(protocol, WebSocketProtocol):
        is_open = protocol.state == protocol.STATE_OPEN
        return protocol.transport if is_open else None
    channel = None if protocol.finished else protocol.channel
    return channel and channel.transport


def _unsent(transport: Any) -> int:
    """Return how many bytes wait in the process; Twisted itself only tells "more than 64 KiB"."""
    waiting = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return int(waiting)


def _give_up(protocol: Any, transport: Any) -> None:
    if not isinstance(protocol, WatcherProtocol):
        transport.abortConnection()
        return
    protocol.turn_away()
    raise ClientGone
