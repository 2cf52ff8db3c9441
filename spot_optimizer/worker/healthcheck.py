"""
The containers' health check: exits with 0 if the process is healthy, else with 1 and the reason.

``python -m spot_optimizer.worker.healthcheck http://127.0.0.1:8000/health/ready`` checks a server,
``python -m spot_optimizer.worker.healthcheck FILE`` the HEARTBEAT_FILE of a worker or a beat. It
runs every few seconds, so it does not import Django.
"""

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT = 5.0  # [s]
STALE_AFTER = 30.0  # [s] a worker touches its file every 2 s, a beat every 5 s


def main(target: str) -> None:
    problem = _problem_of_server(target) if "://" in target else _problem_of_file(Path(target))
    if problem:
        sys.exit(problem)


def _problem_of_server(url: str) -> str:
    try:
        # Redirects are not followed: they may lead to another server.
        _opener.open(url, timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:  # a status other than 2xx raises an OSError too
        return f"{url}: {error}"
    return ""


def _problem_of_file(path: Path) -> str:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{path}: last touched {age:.0f} s ago" if age > STALE_AFTER else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))

if __name__ == "__main__":
    main(*sys.argv[1:])
