"""A decision and the numbers it rests on. Sentences about it are made in ``texts``."""

from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Candidates
from spot_optimizer.engine.filters import FilterResults
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.policy.choice import Choice
from spot_optimizer.engine.policy.cost import yield_score
from spot_optimizer.engine.policy.ranking import Ranking, Risks
from spot_optimizer.engine.trace import StageTrace

HOURS_PER_MONTH = 730


class Savings(NamedTuple):
    """What the move saves: the current price minus the target's. None: a price is unknown."""

    hourly: float | None  # [USD/h]
    monthly: float | None  # [USD] in 730 hours
    percent: float | None  # of the current price


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """A decision over ``c`` candidates; what differs by candidate is in arrays."""

    inputs: Inputs  # in canonical order
    candidates: Candidates
    filters: FilterResults
    risks: Risks
    ranking: Ranking
    choice: Choice
    rejection: NDArray[np.int8]  # (c,) codes of REASONS, 0: accepted
    order: NDArray[np.intp]  # indices of accepted candidates, cheapest first, unknown costs last
    counts: dict[str, Any]  # {"considered", "kept", "rejected": {reason: count}}
    traces: tuple[StageTrace, ...]  # one of each stage, in order

    @property
    def action(self) -> str:
        """``"STAY"``, ``"SWITCH"``, ``"DRAIN"`` or ``"EVACUATE"``."""
        return self.choice.action

    @property
    def current(self) -> int:
        """Index of the candidate that the machine runs in: always accepted, never the target."""
        return self.candidates.current

    @property
    def target(self) -> int | None:
        """Index of the candidate to move to; None on STAY."""
        return self.choice.target

    @property
    def chosen(self) -> int:
        """Index of the chosen candidate: the target, or the current one on STAY."""
        return self.current if self.target is None else self.target

    @property
    def crash_probability(self) -> float | None:
        """The model's P(interruption within one hour) of the current candidate; None: unknown."""
        return _known(self.risks.probability[self.current])

    @property
    def discount(self) -> NDArray[np.float64]:
        """The saved share of the on-demand price, 0…1, 0 if spot costs more. Shape (c,)."""
        return np.clip(1 - self.candidates.price / self.candidates.on_demand_price, 0.0, 1.0)

    @property
    def score(self) -> NDArray[np.float64]:
        """Discount · (1 - P): displayed, not used for ranking. Shape (c,)."""
        return yield_score(self.discount, self.risks.probability)

    @property
    def projected_savings(self) -> Savings:
        """What the move saves by price alone; zeros on STAY."""
        if self.target is None:
            return Savings(0.0, 0.0, 0.0)
        paid = _known(self.candidates.price[self.current])
        price = _known(self.candidates.price[self.target])
        if paid is None or price is None:
            return Savings(None, None, None)
        hourly = paid - price
        return Savings(hourly, hourly * HOURS_PER_MONTH, 100 * hourly / paid)


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)
