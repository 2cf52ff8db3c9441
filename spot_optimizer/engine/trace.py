"""Records what each stage did: how many candidates came in, went out, and were rejected why."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.rejections import ACCEPTED, CODES, REASONS
from spot_optimizer.engine.stages import Stage


class StageTrace(NamedTuple):
    """What one stage did, in numbers."""

    stage: Stage
    status: str  # "done" or "disabled"
    candidates_in: int  # the candidates_out of the stage before
    candidates_out: int
    rejected: Mapping[str, int]  # reason: how many candidates, in the order of REASONS
    current_rejection: str | None  # why the machine's own candidate would have been rejected


OnStage = Callable[[StageTrace], None]


class StageRecorder:
    """
    The rejection codes of all candidates and the trace of each stage so far.

    The candidate that the machine runs in is never rejected: moves are compared with it.

    Parameters
    ----------
    count : int
        Number of candidates.
    current : int
        Index of the candidate that the machine runs in.
    on_stage : callable, optional
        Called with the trace of each stage as it ends.
    """

    def __init__(self, count: int, current: int, on_stage: OnStage | None = None) -> None:
        self.rejection = np.zeros(count, dtype=np.int8)  # (count,) codes of REASONS
        self.traces: list[StageTrace] = []
        self._current = current
        self._on_stage = on_stage

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Whether each candidate is still accepted. Shape (count,)."""
        return np.equal(self.rejection, ACCEPTED)

    def reject(self, stage: Stage, codes: NDArray[np.int8]) -> None:
        """
        Reject the accepted candidates that have a code, and record the stage as done.

        Parameters
        ----------
        stage : Stage
        codes : ndarray of int8, shape (count,)
            Codes of ``REASONS``; 0: accepted.
        """
        hit = self.accepted & (codes != ACCEPTED)
        hit[self._current] = False
        self.rejection[hit] = codes[hit]
        self._record(stage, "done", _by_reason(codes[hit]), REASONS[codes[self._current]] or None)

    def record(self, stage: Stage, status: str = "done") -> None:
        """Record a stage that rejects nothing."""
        self._record(stage, status, {}, None)

    def accept(self, index: int) -> None:
        """Accept a rejected candidate again, as a last resort."""
        self.rejection[index] = ACCEPTED

    def counts(self) -> dict[str, Any]:
        """Return ``considered``, ``kept`` and ``rejected``; the first is the sum of the others."""
        rejected = _by_reason(self.rejection[~self.accepted])
        considered = len(self.rejection)
        return {
            "considered": considered,
            "kept": considered - sum(rejected.values()),
            "rejected": rejected,
        }

    def _record(
        self, stage: Stage, status: str, rejected: dict[str, int], current_rejection: str | None
    ) -> None:
        before = self.traces[-1].candidates_out if self.traces else len(self.rejection)
        now = int(np.count_nonzero(self.accepted))
        trace = StageTrace(stage, status, before, now, rejected, current_rejection)
        self.traces.append(trace)
        if self._on_stage is not None:
            self._on_stage(trace)


def _by_reason(codes: NDArray[np.int8]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(REASONS)).tolist()
    return {reason: counts[code] for reason, code in CODES.items() if code and counts[code]}
