"""
What this process counts, for Prometheus. What rows know is read from them: operations/rows.py.

Each process is a target of its own: web answers on /metrics, a worker on METRICS_PORT. Labels come
from closed lists only (routes, stages, task names, codes), never from what somebody sent.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When a counter began would be one series more for each, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

BRIEF = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # [s]
LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)  # [s]
TINY = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)  # [s]

http_requests = Counter(
    "spot_optimizer_http_requests", "HTTP requests answered.", ["method", "route", "status"]
)
http_request_seconds = Histogram(
    "spot_optimizer_http_request_seconds", "Until the answer's head.", ["route"], buckets=BRIEF
)
evaluations = Counter(
    "spot_optimizer_evaluations", "Evaluations settled by this process.", ["decision", "outcome"]
)
evaluation_seconds = Histogram(
    "spot_optimizer_evaluation_seconds", "Of those decided, AWS and all.", buckets=LONG
)
stage_seconds = Histogram(
    "spot_optimizer_stage_seconds", "Of each stage of the pipeline.", ["stage"], buckets=TINY
)
aws_calls = Counter(
    "spot_optimizer_aws_calls", "Calls to AWS; code is ok, AWS's, or ours.", ["action", "code"]
)
aws_call_seconds = Histogram(
    "spot_optimizer_aws_call_seconds", "Of a call, retries and all.", ["action"], buckets=LONG
)
tasks = Counter("spot_optimizer_tasks", "Background tasks run.", ["task", "state"])
task_seconds = Histogram(
    "spot_optimizer_task_seconds", "Of a background task.", ["task"], buckets=LONG
)
watchers = Gauge("spot_optimizer_watchers", "WebSockets that watch a session in this process.")
stream_lag_seconds = Histogram(
    "spot_optimizer_stream_lag_seconds",
    "From a line's storing, by the database's clock, to its sending to a watcher.",
    buckets=BRIEF,
)


def count_decision(decision: str, *, seconds: float, trace: Iterable[Mapping[str, Any]]) -> None:
    """Count an evaluation that was decided, with the time of it and of its stages."""
    evaluations.labels(decision=decision, outcome="decided").inc()
    evaluation_seconds.observe(seconds)
    for step in trace:
        stage_seconds.labels(stage=step["stage"]).observe(step["ms"] / 1000)


def count_failure(code: str, *, times: int = 1) -> None:
    """Count evaluations that failed; AWS's own codes are told apart in ``aws_calls``."""
    if code.startswith("aws_") and code != "aws_timeout":
        code = "aws_refused"
    evaluations.labels(decision="none", outcome=code).inc(times)
