"""What a decision says about each candidate, one record for each."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.policy.cost import CostTerms
from spot_optimizer.engine.rejections import REASONS
from spot_optimizer.engine.texts.counterfactuals import would_win_if


class PoolVerdict(NamedTuple):
    """The result for one candidate. None: unknown, or does not apply."""

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


def ranked_verdicts(decision: Decision, limit: int | None = None) -> list[PoolVerdict]:
    """
    Return the verdicts on the accepted candidates.

    Parameters
    ----------
    decision : Decision, c candidates
    limit : int, optional
        Highest number of verdicts; all by default.

    Returns
    -------
    list of PoolVerdict
        Lowest expected cost first, unknown costs last.
    """
    return _verdicts(decision, decision.order[:limit])


def rejected_verdicts(decision: Decision, limit: int | None = None) -> list[PoolVerdict]:
    """
    Return the verdicts on the rejected candidates.

    Parameters
    ----------
    decision : Decision, c candidates
    limit : int, optional
        Highest number of verdicts; all by default.

    Returns
    -------
    list of PoolVerdict
        Spot pools by type and zone, then on-demand offers by type.
    """
    return _verdicts(decision, np.flatnonzero(decision.rejection)[:limit])


def verdict_of(decision: Decision, index: int) -> PoolVerdict:
    """
    Return the verdict on one candidate.

    Parameters
    ----------
    decision : Decision, c candidates
    index : int
        0…c - 1.

    Returns
    -------
    PoolVerdict

    Raises
    ------
    IndexError
        If there is no candidate with this index.
    """
    if not 0 <= index < len(decision.candidates):
        raise IndexError(f"candidate {index} of {len(decision.candidates)}")
    return _verdicts(decision, np.array([index]))[0]


def number_columns(decision: Decision) -> dict[str, NDArray[np.float64]]:
    """
    Return the numbers of all candidates.

    Parameters
    ----------
    decision : Decision, c candidates

    Returns
    -------
    dict of ndarray, shape (c,)
        By the names and in the units of :class:`PoolVerdict`; nan: unknown.
    """
    return {
        "price": decision.candidates.price,
        "on_demand_price": decision.candidates.on_demand_price,
        "discount": decision.discount,
        "crash_probability": decision.risks.probability,
        "expected_cost": decision.ranking.cost,
        "score": decision.score,
    }


def none_for_nan(column: NDArray[np.float64]) -> list[float | None]:
    """
    Return an array's numbers with None for nan, as JSON requires.

    Parameters
    ----------
    column : ndarray, shape (k,)

    Returns
    -------
    list of float or None, length k
    """
    return [None if number != number else number for number in column.tolist()]


def _verdicts(decision: Decision, indices: NDArray[np.intp]) -> list[PoolVerdict]:
    # By columns: to read numbers from arrays one by one takes 0.2 ms for each candidate.
    columns = _columns(decision, indices)
    in_order = (columns[name] for name in PoolVerdict._fields)
    return [PoolVerdict(*values) for values in zip(*in_order, strict=True)]


def _columns(decision: Decision, indices: NDArray[np.intp]) -> dict[str, list[Any]]:
    candidates = decision.candidates
    types = [candidates.types[index] for index in candidates.type_index[indices].tolist()]
    is_spot = candidates.is_spot[indices].tolist()
    numbers = {name: none_for_nan(col[indices]) for name, col in number_columns(decision).items()}
    rejection = decision.rejection[indices].tolist()
    terms = zip(*(part[indices].tolist() for part in decision.ranking.terms), strict=True)
    return {
        **numbers,
        "instance_type": [each.name for each in types],
        "zone": [candidates.zones[index] for index in candidates.zone_index[indices].tolist()],
        "purchase": [candidates.purchase_of(index) for index in indices.tolist()],
        "vcpu": [each.vcpu for each in types],
        "memory_gib": [each.memory_gib for each in types],
        "spot_price": [
            price if spot else None for spot, price in zip(is_spot, numbers["price"], strict=True)
        ],
        "interruption_band": [
            band if spot and band >= 0 else None
            for spot, band in zip(is_spot, candidates.band[indices].tolist(), strict=True)
        ],
        "rejected_because": [REASONS[code] or None for code in rejection],
        "would_win_if": would_win_if(decision, indices),
        "terms": [
            None if cost is None else dict(zip(CostTerms._fields, parts, strict=True))
            for cost, parts in zip(numbers["expected_cost"], terms, strict=True)
        ],
    }
