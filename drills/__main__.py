"""Run drills under load and print the results: ``python -m drills [FILTER …]``."""

import shutil
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from drills.environment import Environment
from drills.faults import FAULTS
from drills.outcome import HEADERS, Outcome, table
from drills.run import drill, warm_up
from drills.servers import programs


def main() -> int:
    parser = ArgumentParser(prog="python -m drills", description=__doc__)
    parser.add_argument("filters", nargs="*", help="only drills whose names contain one of these")
    parser.add_argument("--keep-logs", type=Path, help="copy the logs into this folder")
    options = parser.parse_args()
    if programs() is None:
        sys.exit("Drills need the programs of PostgreSQL and Redis: apt install postgresql redis.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # run the clean-up handlers
    chosen = [name for name in FAULTS if not options.filters or _matches(name, options.filters)]
    outcomes = _run(chosen, options.keep_logs)
    print(f"\n{table(outcomes)}")  # noqa: T201
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


def _matches(name: str, filters: list[str]) -> bool:
    return any(text.lower() in name.lower() for text in filters)


def _run(names: list[str], logs: Path | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with Environment() as environment:
        try:
            warm_up(environment)
            for name in names:
                outcomes.append(drill(environment, name, FAULTS[name]))
                cells = dict(zip(HEADERS, outcomes[-1].cells(), strict=True))
                print(time.strftime("%H:%M:%S"), cells, flush=True)  # noqa: T201
        finally:
            if logs:
                shutil.copytree(
                    environment.folder,
                    logs,
                    ignore=shutil.ignore_patterns("postgres"),
                    dirs_exist_ok=True,
                )
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
