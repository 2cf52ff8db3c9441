"""Run drills under load and print what they showed: ``python -m drills [WORDS …]``."""

import shutil
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from drills.outcome import HEADS, Outcome, table
from drills.run import drill, warm_up
from drills.servers import programs
from drills.stand import Stand
from drills.strikes import STRIKES


def main() -> int:
    parser = ArgumentParser(prog="python -m drills", description=__doc__)
    parser.add_argument("words", nargs="*", help="only drills whose names contain one of these")
    parser.add_argument("--keep-logs", type=Path, help="copy all that was said into this folder")
    options = parser.parse_args()
    if programs() is None:
        sys.exit("Drills need PostgreSQL and Redis of their own: apt install postgresql redis.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # and clean up
    chosen = [name for name in STRIKES if not options.words or _is_meant(name, options.words)]
    outcomes = _run(chosen, options.keep_logs)
    print(f"\n{table(outcomes)}")  # noqa: T201
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


def _is_meant(name: str, words: list[str]) -> bool:
    return any(word.lower() in name.lower() for word in words)


def _run(names: list[str], logs: Path | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with Stand() as stand:
        try:
            warm_up(stand)
            for name in names:
                outcomes.append(drill(stand, name, STRIKES[name]))
                told = dict(zip(HEADS, outcomes[-1].cells(), strict=True))
                print(time.strftime("%H:%M:%S"), told, flush=True)  # noqa: T201
        finally:
            if logs:
                shutil.copytree(
                    stand.folder,
                    logs,
                    ignore=shutil.ignore_patterns("postgres"),
                    dirs_exist_ok=True,
                )
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
