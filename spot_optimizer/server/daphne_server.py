"""Daphne's server with back-pressure, request limits and a graceful shutdown."""

import daphne.server  # isort: skip  # first: it installs the reactor

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from twisted.internet.defer import Deferred

from spot_optimizer.asgi import application
from spot_optimizer.server.backpressure import wait_until_read
from spot_optimizer.server.http_limits import BoundedChannel, BoundedRequest
from spot_optimizer.server.shutdown import drain
from spot_optimizer.server.websocket import WatcherProtocol
from spot_optimizer.worker.shutdown import exit_after

logger = logging.getLogger(__name__)
logging.getLogger("daphne").setLevel(logging.WARNING)

FRAME_LIMIT = 64 * 1024  # [bytes] of one incoming frame
MESSAGE_LIMIT = 1024 * 1024  # [bytes] of one incoming message
SHUTDOWN_TIMEOUT = 17.0  # [s] longer than `drain` takes


class Server(daphne.server.Server):
    """Daphne's server with our protocols, back-pressure and a graceful shutdown."""

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """:raises ClientGone: the WebSocket client reads too slowly"""
        await super().handle_reply(protocol, message)
        await wait_until_read(protocol)

    def listen_success(self, port: Any) -> Any:
        super().listen_success(port)
        return port  # Daphne drops it; `kill_all_applications` closes it

    def kill_all_applications(self) -> Deferred[None]:
        """Shut down gracefully: Twisted calls this on a signal and waits for the result."""
        exit_after(SHUTDOWN_TIMEOUT)
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        draining = Deferred.fromFuture(asyncio.ensure_future(drain(self.connections)))
        # Twisted would ignore the error silently.
        return draining.addErrback(
            lambda failure: logger.error("shutdown failed", exc_info=failure.value)
        )

    def use_our_protocols(self) -> None:
        self.http_factory.protocol = BoundedChannel
        build = self.http_factory.buildProtocol

        def build_bounded(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = BoundedRequest
            return protocol

        self.http_factory.buildProtocol = build_bounded
        self.http_factory.log = lambda _: None  # Twisted's access log; `request_log` is ours
        self.ws_factory.protocol = WatcherProtocol
        self.ws_factory.setProtocolOptions(
            failByDrop=False,  # close with a code instead of dropping the connection
            closeHandshakeTimeout=10,
            allowNullOrigin=True,  # `streaming.origins` checks origins and sends a reason
        )


def build_server(
    host: str, port: int, on_ready: Callable[[], None] = lambda: None
) -> daphne.server.Server:
    """
    Return the server of the application; its ``run()`` blocks and needs the main thread.

    ``on_ready`` is called when the server listens. Check `is_free` first.
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
    """Whether a server could listen on this port now."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True
