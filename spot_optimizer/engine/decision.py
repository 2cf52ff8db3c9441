"""A decision with everything that shows why."""

import json
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Rows
from spot_optimizer.engine.cost import Terms, yield_score
from spot_optimizer.engine.counterfactuals import would_win_if
from spot_optimizer.engine.filters import Screens
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.policy.choice import Choice
from spot_optimizer.engine.policy.texts import REASONS
from spot_optimizer.engine.ranking import Ranking, Risks
from spot_optimizer.engine.serialization import plain
from spot_optimizer.engine.trace import StageTrace

HOURS_PER_MONTH = 730


class Savings(NamedTuple):
    """What the move saves: price paid now minus the target's. None: a price is unknown."""

    hourly: float | None  # [USD/h]
    monthly: float | None  # [USD] in 730 hours
    percent: float | None  # of the price paid now


class PoolVerdict(NamedTuple):
    """What the engine thinks of one row. None: unknown, or does not apply."""

    instance_type: str
    zone: str
    purchase: str
    vcpu: int
    memory_gib: float
    price: float | None  # [USD/h]
    spot_price: float | None  # [USD/h]
    on_demand_price: float | None  # [USD/h]
    discount: float | None  # 0…1 below on demand
    interruption_band: int | None
    crash_probability: float | None  # within one hour
    expected_cost: float | None  # [USD/h]
    score: float | None
    rejected_because: str | None
    would_win_if: str | None
    terms: dict[str, float] | None  # price, risk and switching, whose sum is expected_cost


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """A decision over ``r`` rows. Numbers of rows come in arrays; verdicts are made when asked."""

    inputs: Inputs  # in canonical order
    rows: Rows
    screens: Screens
    risks: Risks
    ranking: Ranking
    choice: Choice
    rejection: NDArray[np.int8]  # (r,) codes of REASONS, 0: kept
    order: NDArray[np.intp]  # kept rows, cheapest expected first, unknown costs last
    counts: dict[str, Any]  # {"considered", "kept", "rejected": {reason: n}}
    traces: tuple[StageTrace, ...]

    @property
    def decision(self) -> str:
        """``"STAY"``, ``"SWITCH"``, ``"DRAIN"`` or ``"EVACUATE"``."""
        return self.choice.decision

    @property
    def reason(self) -> str:
        """Why, in one sentence with numbers."""
        return self.choice.reason

    @property
    def current(self) -> int:
        """The row the machine is in: always kept, never the target."""
        return self.rows.current

    @property
    def target(self) -> int | None:
        """The row to move to, None on STAY."""
        return self.choice.target

    @property
    def chosen(self) -> int:
        """The row that was chosen: the target, or the current one on STAY."""
        return self.current if self.target is None else self.target

    @property
    def crash_probability(self) -> float | None:
        """The model's P(interruption within one hour) where the machine is; signals apart."""
        return _known(self.risks.chance[self.current])

    @property
    def discount(self) -> NDArray[np.float64]:
        """Per row: the part of the on-demand price that is saved, 0 where spot is dearer."""
        return np.clip(1 - self.rows.price / self.rows.on_demand_price, 0.0, 1.0)

    @property
    def score(self) -> NDArray[np.float64]:
        """Per row: discount · (1 - P). Shown, never ranked by."""
        return yield_score(self.discount, self.risks.chance)

    @property
    def projected_savings(self) -> Savings:
        """What the move saves by price alone; zeros on STAY."""
        if self.target is None:
            return Savings(0.0, 0.0, 0.0)
        paid = _known(self.rows.price[self.current])
        price = _known(self.rows.price[self.target])
        if paid is None or price is None:
            return Savings(None, None, None)
        hourly = paid - price
        return Savings(hourly, hourly * HOURS_PER_MONTH, 100 * hourly / paid)

    def ranked(self, limit: int | None = None) -> list[PoolVerdict]:
        """Return the kept rows, cheapest expected first, at most ``limit``."""
        return self._verdicts(self.order[:limit])

    def rejected(self, limit: int | None = None) -> list[PoolVerdict]:
        """Return the rejected rows by type and zone, at most ``limit``."""
        return self._verdicts(np.flatnonzero(self.rejection)[:limit])

    def pool(self, row: int) -> PoolVerdict:
        """Return the verdict on one row. :raises IndexError: if there is no such row."""
        if not 0 <= row < len(self.rows):
            raise IndexError(f"row {row} of {len(self.rows)}")
        return self._verdicts(np.array([row]))[0]

    def _verdicts(self, which: NDArray[np.intp]) -> list[PoolVerdict]:
        # By columns: numbers taken out of arrays one by one cost 0.2 ms a row.
        columns = self._verdict_columns(which)
        in_order = (columns[name] for name in PoolVerdict._fields)
        return [PoolVerdict(*row) for row in zip(*in_order, strict=True)]

    def _verdict_columns(self, which: NDArray[np.intp]) -> dict[str, list[Any]]:
        rows, is_spot = self.rows, self.rows.is_spot[which].tolist()
        kinds = [rows.types[index] for index in rows.type_index[which].tolist()]
        numbers = {name: plain(column[which]) for name, column in self._numbers().items()}
        terms = zip(*(part[which].tolist() for part in self.ranking.terms), strict=True)
        return {
            **numbers,
            "instance_type": [kind.name for kind in kinds],
            "zone": [rows.zones[index] for index in rows.zone_index[which].tolist()],
            "purchase": [rows.purchase_of(row) for row in which.tolist()],
            "vcpu": [kind.vcpu for kind in kinds],
            "memory_gib": [kind.memory_gib for kind in kinds],
            "spot_price": [
                price if spot else None
                for spot, price in zip(is_spot, numbers["price"], strict=True)
            ],
            "interruption_band": [
                band if spot and band >= 0 else None
                for spot, band in zip(is_spot, rows.band[which].tolist(), strict=True)
            ],
            "rejected_because": [REASONS[code] or None for code in self.rejection[which].tolist()],
            "would_win_if": would_win_if(self, which),
            "terms": [
                None if cost is None else dict(zip(Terms._fields, parts, strict=True))
                for cost, parts in zip(numbers["expected_cost"], terms, strict=True)
            ],
        }

    def to_json(self) -> bytes:
        """Return the decision and all rows' numbers; the same bytes for the same inputs."""
        body = {
            "decision": self.decision,
            "reason": self.reason,
            "crash_probability": self.crash_probability,
            "current": self.current,
            "target": self.target,
            "counts": self.counts,
            "projected_savings": self.projected_savings._asdict(),
            "order": self.order.tolist(),
            "rows": self._columns(),
            "trace": [trace.as_dict() for trace in self.traces],
        }
        return json.dumps(
            body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()

    def _numbers(self) -> dict[str, NDArray[np.float64]]:
        return {
            "price": self.rows.price,
            "on_demand_price": self.rows.on_demand_price,
            "discount": self.discount,
            "crash_probability": self.risks.chance,
            "expected_cost": self.ranking.cost,
            "score": self.score,
        }

    def _columns(self) -> dict[str, list[Any]]:
        rows = self.rows
        numbers = {**self._numbers(), **self.ranking.terms._asdict()}
        return {
            "instance_type": [rows.types[i].name for i in rows.type_index],
            "zone": [rows.zones[i] for i in rows.zone_index],
            "purchase": [rows.purchase_of(i) for i in range(len(rows))],
            "rejected_because": [REASONS[code] or None for code in self.rejection],
            **{name: plain(column) for name, column in numbers.items()},
        }


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)
