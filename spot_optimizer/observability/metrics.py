"""
The Prometheus metrics of this process; those of the database are in operations/database_metrics.py.

Each process is its own target: web on /metrics, a worker on METRICS_PORT. Label values come from
fixed sets (routes, stages, task names, codes), never from user input.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# Each counter's creation time would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # [s]
TASK_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)  # [s]
STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)  # [s]

http_requests = Counter(
    "spot_optimizer_http_requests", "HTTP requests.", ["method", "route", "status"]
)
http_request_seconds = Histogram(
    "spot_optimizer_http_request_seconds",
    "Time until the response headers.",
    ["route"],
    buckets=REQUEST_BUCKETS,
)
evaluations = Counter(
    "spot_optimizer_evaluations", "Evaluations settled by this process.", ["decision", "outcome"]
)
evaluation_seconds = Histogram(
    "spot_optimizer_evaluation_seconds",
    "Duration of decided evaluations, including AWS calls.",
    buckets=TASK_BUCKETS,
)
stage_seconds = Histogram(
    "spot_optimizer_stage_seconds",
    "Duration of each pipeline stage.",
    ["stage"],
    buckets=STAGE_BUCKETS,
)
aws_calls = Counter(
    "spot_optimizer_aws_calls",
    "AWS calls; code is ok, AWS's error code, or ours.",
    ["action", "code"],
)
aws_call_seconds = Histogram(
    "spot_optimizer_aws_call_seconds",
    "Duration of an AWS call, including retries.",
    ["action"],
    buckets=TASK_BUCKETS,
)
tasks = Counter("spot_optimizer_tasks", "Background tasks run.", ["task", "state"])
task_seconds = Histogram(
    "spot_optimizer_task_seconds", "Duration of a background task.", ["task"], buckets=TASK_BUCKETS
)
watchers = Gauge("spot_optimizer_watchers", "WebSocket connections of this process.")
stream_lag_seconds = Histogram(
    "spot_optimizer_stream_lag_seconds",
    "Time from storing a line (the database's clock) to sending it to a client.",
    buckets=REQUEST_BUCKETS,
)


def count_decision(decision: str, *, seconds: float, trace: Iterable[Mapping[str, Any]]) -> None:
    """Count a decided evaluation, with its duration and that of its stages."""
    evaluations.labels(decision=decision, outcome="decided").inc()
    evaluation_seconds.observe(seconds)
    for step in trace:
        stage_seconds.labels(stage=step["stage"]).observe(step["ms"] / 1000)


def count_failure(code: str, *, times: int = 1) -> None:
    """Count failed evaluations; ``aws_calls`` has AWS's error codes."""
    if code.startswith("aws_") and code != "aws_timeout":
        code = "aws_refused"
    evaluations.labels(decision="none", outcome=code).inc(times)
