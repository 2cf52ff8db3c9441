"""Which rows are still in, why the others are not, and what each stage did about it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.policy.texts import CODES, KEPT, REASONS


class StageTrace(NamedTuple):
    """What one stage did. ``in_`` is the ``out`` of the stage before."""

    stage: str
    status: str  # "done" or "disabled"
    in_: int
    out: int
    note: str  # a sentence for a person, with the numbers in force

    def as_dict(self) -> dict[str, Any]:
        """Return the trace under the names the API speaks."""
        return {
            "stage": self.stage,
            "status": self.status,
            "in": self.in_,
            "out": self.out,
            "note": self.note,
        }


class Funnel:
    """Rows on their way through the stages. The baseline, where the machine is, stays in."""

    def __init__(self, size: int, baseline: int, words: Mapping[str, str]) -> None:
        self.rejection = np.zeros(size, dtype=np.int8)  # codes of REASONS
        self.traces: list[StageTrace] = []
        self._baseline = baseline
        self._words = words
        self._last_out = size

    @property
    def kept(self) -> NDArray[np.bool_]:
        """The rows that are still in."""
        return np.equal(self.rejection, KEPT)

    def drop(self, stage: str, codes: NDArray[np.int8], note: str = "") -> StageTrace:
        """Reject the rows that have a code, and say how many and why."""
        hit = self.kept & (codes != KEPT)
        hit[self._baseline] = False
        self.rejection[hit] = codes[hit]
        dropped = np.bincount(codes[hit], minlength=len(REASONS))
        sentences = [note, self._dropped(dropped), self._spared(int(codes[self._baseline]))]
        return self.pass_on(stage, " ".join(filter(None, sentences)))

    def pass_on(self, stage: str, note: str, status: str = "done") -> StageTrace:
        """Write down a stage that leaves the rows as they are now."""
        now = int(np.count_nonzero(self.kept))
        trace = StageTrace(stage, status, self._last_out, now, note)
        self._last_out = now
        self.traces.append(trace)
        return trace

    def reinstate(self, row: int) -> None:
        """Take a rejected row in again, as a last resort."""
        self.rejection[row] = KEPT

    def counts(self) -> dict[str, Any]:
        """Return ``considered = kept + Σ rejected``, reasons in the order of the stages."""
        each = np.bincount(self.rejection, minlength=len(REASONS)).tolist()
        rejected = {reason: each[code] for reason, code in CODES.items() if code and each[code]}
        return {"considered": len(self.rejection), "kept": each[KEPT], "rejected": rejected}

    def _dropped(self, dropped: NDArray[np.intp]) -> str:
        kept = f"Kept {np.count_nonzero(self.kept)} of {self._last_out}"
        parts = [f"{n} {self._words[REASONS[code]]}" for code, n in enumerate(dropped) if n]
        return f"{kept}: dropped {', '.join(parts)}." if parts else f"{kept}."

    def _spared(self, code: int) -> str:
        if code == KEPT:
            return ""
        return (
            f"Where the machine is stays in as the baseline, though {self._words[REASONS[code]]}."
        )
