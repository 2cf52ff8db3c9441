"""What a drill showed: what users saw, whether anything was lost, how long it took to recover."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEADS = (
    "drill",
    "what users saw",
    "how evaluations ended",
    "sockets closed",
    "lost / doubled",
    "unsettled",
    "orphans",
)
HEADS += ("seconds to recover", "all settled after [s]", "slowest answer [s]", "latest line [s]")


@dataclass(slots=True)
class Outcome:
    drill: str
    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    unsettled: int = 0
    orphans: int = 0  # sessions that have not ended, or still hold credentials
    recovered_in: float = 0.0  # [s] until every user had a decision he asked for afterwards
    settled_in: float = 0.0  # [s] until nothing that was accepted was pending any more
    slowest_answer: float = 0.0  # [s]
    latest_line: float = 0.0  # [s] that a line came late to a watcher who was there
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        faults = (self.lost, self.doubled, self.out_of_order, self.unsettled, self.orphans)
        return not any(faults)

    def cells(self) -> tuple[str, ...]:
        disorder = f", {self.out_of_order} out of order" if self.out_of_order else ""
        return (
            ". ".join([self.drill, *self.notes]),
            _counted(self.answers),
            _counted(self.ends),
            _counted(self.closes) or "none",
            f"{self.lost} / {self.doubled}{disorder}",
            str(self.unsettled),
            str(self.orphans),
            f"{self.recovered_in:.1f}",
            f"{self.settled_in:.1f}",
            f"{self.slowest_answer:.1f}",
            f"{self.latest_line:.1f}",
        )


def table(outcomes: Iterable[Outcome]) -> str:
    rows: list[Sequence[str]] = [HEADS, ["---"] * len(HEADS)]
    rows += [outcome.cells() for outcome in outcomes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
