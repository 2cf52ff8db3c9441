"""A TCP proxy in front of the emulator that can be made to fail."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

CHUNK = 64 * 1024  # [bytes]
NONSENSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 24\r\n\r\n"
    b"<html>502 lunch</wrong>\x00"
)


class AwsProxy:
    """
    A TCP proxy.

    ``mode``: "pass", "nonsense" (malformed responses), "hang" (accepts and never responds),
    "cut" (closes in the middle of a response), "refuse" (does not listen).
    """

    def __init__(self) -> None:
        self.mode, self.target_port = "pass", 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(self, *_: object) -> None:
        self._close_listening()
        self._close_connections()

    def set_mode(self, mode: str) -> None:
        """Change the mode; open connections are closed."""
        if self.mode == "refuse" and mode != "refuse":
            self._listening = socket.create_server(("127.0.0.1", self.port))
            self._serve()
        elif mode == "refuse" and self.mode != "refuse":
            self._close_listening()
        self.mode = mode
        self._close_connections()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=[self._listening], daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # the listening socket was closed
            while True:
                client, _ = listening.accept()
                threading.Thread(target=self._handle, args=[client], daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with self._tracked(client), suppress(OSError):
            if self.mode == "hang":
                while client.recv(CHUNK):
                    pass
            elif self.mode == "nonsense":
                client.recv(CHUNK)
                client.sendall(NONSENSE)
            else:
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        with self._tracked(socket.create_connection(("127.0.0.1", self.target_port))) as server:
            threading.Thread(target=_pump, args=[client, server], daemon=True).start()
            if self.mode == "cut":
                client.sendall(server.recv(CHUNK)[:200])
            else:
                _pump(server, client)

    @contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[socket.socket]:
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _close_listening(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # close() alone does not interrupt accept()
        self._listening.close()

    def _close_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, drain: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            drain.sendall(data)
    with suppress(OSError):
        drain.shutdown(socket.SHUT_WR)
