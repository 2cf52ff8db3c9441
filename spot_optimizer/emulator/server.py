"""The server process: options, socket, ready line, shutdown."""

import argparse
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

DEFAULT_PORT = 4588
DEFAULT_SEED = 254  # gives decisions other than STAY, and different risks


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the emulator to a parser."""
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 selects a free one")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="account and market")
    parser.add_argument("--eventbridge-url", help="where signals are sent as EventBridge would")
    parser.add_argument(
        "--parent-watch", action="store_true", help="end when standard input is closed"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="emulator",
        description="A local AWS for Spot Optimizer: an emulator on loopback, not AWS.",
        epilog="The secret sent to --eventbridge-url is read from EVENTBRIDGE_SECRET.",
    )
    add_options(parser)
    return run(vars(parser.parse_args(arguments)), os.environ)


def run(options: Mapping[str, Any], environment: Mapping[str, str]) -> int:
    """Serve with these options until SIGTERM; return the exit status."""
    try:
        listening = socket.create_server((options["host"], options["port"]))
    except (OSError, OverflowError) as error:
        where = f"{options['host']}:{options['port']}"
        print(f"The emulator cannot listen on {where}: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    # A signal during start-up stops the process at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    if options["parent_watch"]:
        threading.Thread(target=_watch_parent, daemon=True).start()
    # Garbage collection would be half of the start-up time: moto's tables are large and permanent.
    gc.disable()
    server = _server(listening, options, environment.get("EVENTBRIDGE_SECRET", ""))
    gc.collect()
    gc.freeze()
    gc.enable()
    server.serve_forever()
    return 0


def _server(listening: socket.socket, options: Mapping[str, Any], secret: str) -> Any:
    """Build the server and print the ready line."""
    # Imported here: moto needs most of a second, and a port in use is reported first.
    from werkzeug.serving import make_server

    from spot_optimizer.emulator.app import Emulator
    from spot_optimizer.emulator.context import create_context
    from spot_optimizer.emulator.control import DISCLAIMER, identity
    from spot_optimizer.emulator.signals import EventBus

    bus = EventBus(options["eventbridge_url"], secret)
    context = create_context(seed=options["seed"], bus=bus, now=datetime.now(UTC))
    host, port = listening.getsockname()[:2]
    server = make_server(
        host,
        port,
        Emulator(context),
        threaded=True,
        request_handler=quiet_handler(),
        fd=listening.fileno(),
    )
    ready = {"url": f"http://{host}:{port}"} | identity(context)
    print(json.dumps(ready), DISCLAIMER, sep="\n", flush=True)  # noqa: T201
    return server


def quiet_handler() -> type[Any]:
    """Return moto's request handler without its access log."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class Quiet(MotoRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            if type == "error":
                super().log(type, message, *args)

    return Quiet


def _stop(number: int, frame: object) -> NoReturn:
    sys.exit(0)


def _watch_parent() -> None:
    # Unbuffered: a thread in a buffered read prevents a clean exit of the interpreter.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
