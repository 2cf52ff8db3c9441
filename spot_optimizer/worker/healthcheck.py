"""
Whether a process of ours lives, for health checks: exit code 0 if it does, else 1 and a sentence.

``python -m spot_optimizer.alive http://127.0.0.1:8000/health/ready`` asks a server,
``python -m spot_optimizer.alive FILE`` looks at the HEARTBEAT_FILE of a worker or a beat. It runs
every few seconds, so it knows nothing of Django.
"""

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 5.0  # [s]
STALE_AFTER = 30.0  # [s] a worker touches its file every 2 s, a beat every 5 s


def main(what: str) -> None:
    problem = _problem_of_server(what) if "://" in what else _problem_of_file(Path(what))
    if problem:
        sys.exit(problem)


def _problem_of_server(url: str) -> str:
    try:
        # No redirect answers for us: what is behind one may be another server.
        _opener.open(url, timeout=PATIENCE).close()
    except (OSError, ValueError) as error:  # an answer other than 2xx is an OSError too
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
