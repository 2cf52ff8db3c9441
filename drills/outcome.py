"""The result of a drill: responses, lost or duplicated lines, and recovery time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEADERS = (
    "drill",
    "responses",
    "evaluation results",
    "sockets closed",
    "lost / duplicated",
    "unsettled",
    "orphans",
)
HEADERS += ("seconds to recover", "all settled after [s]", "slowest answer [s]", "latest line [s]")


@dataclass(slots=True)
class Outcome:
    drill: str
    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    unsettled: int = 0
    orphans: int = 0  # sessions that did not end, or still have credentials
    recovered_in: float = 0.0  # [s] until each user had a decision requested after the fault
    settled_in: float = 0.0  # [s] until no accepted evaluation was pending
    slowest_answer: float = 0.0  # [s]
    latest_line: float = 0.0  # [s] delay of a line to a connected watcher
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        faults = (self.lost, self.duplicated, self.out_of_order, self.unsettled, self.orphans)
        return not any(faults)

    def cells(self) -> tuple[str, ...]:
        out_of_order = f", {self.out_of_order} out of order" if self.out_of_order else ""
        return (
            ". ".join([self.drill, *self.notes]),
            _counted(self.answers),
            _counted(self.ends),
            _counted(self.closes) or "none",
            f"{self.lost} / {self.duplicated}{out_of_order}",
            str(self.unsettled),
            str(self.orphans),
            f"{self.recovered_in:.1f}",
            f"{self.settled_in:.1f}",
            f"{self.slowest_answer:.1f}",
            f"{self.latest_line:.1f}",
        )


def table(outcomes: Iterable[Outcome]) -> str:
    rows: list[Sequence[str]] = [HEADERS, ["---"] * len(HEADERS)]
    rows += [outcome.cells() for outcome in outcomes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
