"""``python -m spot_optimizer.server``: the web process, on API_HOST and API_PORT."""

from spot_optimizer.server.daphne_server import build_server, is_free  # isort: skip  # first

import sys

from django.conf import settings


def main() -> None:
    host, port = settings.API_HOST, settings.API_PORT
    if not is_free(host, port):
        sys.exit(f"Port {port} of {host} is in use. Stop what uses it, or set API_PORT.")
    build_server(host, port).run()


if __name__ == "__main__":
    main()
