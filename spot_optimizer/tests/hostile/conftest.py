from typing import Any

from spot_optimizer.tests.hostile.inputs import STATUS_COUNTS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if STATUS_COUNTS:
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(STATUS_COUNTS.items()))
        terminalreporter.write_line(f"hostile inputs: {STATUS_COUNTS.total()} tried: {counts}")
