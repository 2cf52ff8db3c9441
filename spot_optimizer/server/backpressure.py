"""Back-pressure: sending waits for a slow client, and a client that stays slow is disconnected."""

import asyncio
import time
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

from spot_optimizer.server.websocket import WatcherProtocol

UNSENT_LIMIT = 1024 * 1024  # [bytes] buffered for one client
SLOW_CLIENT_TIMEOUT = 5.0  # [s] that a client's buffer may stay above its limit
POLL_INTERVAL = 0.05  # [s]


class ClientGone(OSError):
    """The client was disconnected because it read too slowly."""


async def wait_until_read(protocol: Any) -> None:
    """
    Wait while more than `UNSENT_LIMIT` is buffered for the client of a WebSocket or a request.

    After `SLOW_CLIENT_TIMEOUT` a WebSocket is closed with 4408, and an HTTP connection is aborted.

    :raises ClientGone: a WebSocket was closed
    """
    since = time.monotonic()
    while (transport := _transport_of(protocol)) and _unsent(transport) > UNSENT_LIMIT:
        if time.monotonic() - since > SLOW_CLIENT_TIMEOUT:
            _disconnect(protocol, transport)
        await asyncio.sleep(POLL_INTERVAL)


def _transport_of(protocol: Any) -> Any:
    """Return the TCP transport of a WebSocket or a request, None if it is disconnected."""
    if isinstance(protocol, WebSocketProtocol):
        is_open = protocol.state == protocol.STATE_OPEN
        return protocol.transport if is_open else None
    channel = None if protocol.finished else protocol.channel
    return channel and channel.transport


def _unsent(transport: Any) -> int:
    """Return the number of buffered bytes; Twisted's API only signals "more than 64 KiB"."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)


def _disconnect(protocol: Any, transport: Any) -> None:
    if not isinstance(protocol, WatcherProtocol):
        transport.abortConnection()
        return
    protocol.close_slow_client()
    raise ClientGone
