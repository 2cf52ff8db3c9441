from typing import Any

from spot_optimizer.tests.hostile.table import TRIED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if TRIED:
        told = ", ".join(f"{count} x {status}" for status, count in sorted(TRIED.items()))
        terminalreporter.write_line(f"hostile inputs: {TRIED.total()} tried: {told}")
