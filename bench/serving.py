"""
Measures one web process: requests per second, latency, and CPU time per request.

    DATABASE_URL=postgresql://postgres@127.0.0.1:5432/any REDIS_URL=redis://127.0.0.1:6379/9 \
        python bench/serving.py

The baseline is `GET /health/live` in the same run: the server and all middleware, without a query,
a user or a serializer. The load is a closed loop of threads, each with one keep-alive connection.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3
from running import cpu, platform

API = "/api/v1"
BASELINE = "GET /health/live (baseline)"
Request = Callable[[], Any]


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    options = _options()
    table = Table("request", "concurrent", "per second", "p50 ms", "p99 ms", "CPU ms", "ratio")
    with platform() as running:
        web = running.webs[0]
        for workers in options.workers:
            base = 0.0
            for name, makers in _requests(web, workers).items():
                cells, used = _measured(makers, web.process.pid, options.seconds)
                base = used if name == BASELINE else base
                ratio = f"{used / base:.1f}" if base else "-"
                table.add_row(name, str(workers), *cells, f"{used:.2f}", ratio)
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8])
    return parser.parse_args()


def _requests(web: Any, workers: int) -> dict[str, list[Request]]:
    """Return the callers by kind of request: one per worker, each with its own user."""
    names = [f"bench-{workers}-{number}-{time.time_ns()}" for number in range(workers)]
    tokens = [web.register(name) for name in names]
    sessions = [web.create_session(token) for token in tokens]
    for one, token in zip(sessions, tokens, strict=True):
        web.evaluate(one["session_id"], token)  # the first evaluation fetches the data of a region
    evaluate = [f"{API}/sandbox/sessions/{one['session_id']}/evaluate" for one in sessions]
    return {
        BASELINE: [_caller(web, "GET", "/health/live") for _ in tokens],
        "GET profile": [_caller(web, "GET", f"{API}/auth/profile", token) for token in tokens],
        "POST and DELETE session": [_create_and_delete(web, token) for token in tokens],
        "POST evaluate": [
            _caller(web, "POST", path, token) for path, token in zip(evaluate, tokens, strict=True)
        ],
    }


def _caller(web: Any, method: str, path: str, token: str = "") -> Request:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", web.port, maxsize=1)
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def request() -> Any:
        body: dict[str, Any] | None = {} if method == "POST" else None
        response = pool.request(method, path, json=body, headers=headers, retries=False, timeout=60)
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {response.status} {response.data[:200]!r}")

    return request


def _create_and_delete(web: Any, token: str) -> Request:
    def request() -> None:
        session = web.create_session(token)
        web.request("DELETE", f"{API}/sandbox/sessions/{session['session_id']}", token=token)

    return request


def _measured(requests: list[Request], pid: int, seconds: float) -> tuple[list[str], float]:
    for request in requests:
        request()  # warm-up
    used, began = cpu(pid), time.perf_counter()
    with ThreadPoolExecutor(len(requests)) as threads:
        durations = sorted(
            duration
            for worker in threads.map(
                lambda request: _durations(request, began + seconds), requests
            )
            for duration in worker
        )
    wall, used = time.perf_counter() - began, cpu(pid) - used
    p99 = durations[min(len(durations) - 1, len(durations) * 99 // 100)]
    cells = [
        f"{len(durations) / wall:.0f}",
        f"{durations[len(durations) // 2] * 1000:.1f}",
        f"{p99 * 1000:.1f}",
    ]
    return cells, used * 1000 / len(durations)


def _durations(request: Request, until: float) -> list[float]:
    durations = []
    while (began := time.perf_counter()) < until:
        request()
        durations.append(time.perf_counter() - began)
    return durations


if __name__ == "__main__":
    main()
