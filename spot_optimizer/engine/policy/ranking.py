"""The risk and the expected cost of each candidate, and the order that follows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Candidates
from spot_optimizer.engine.features import features_of
from spot_optimizer.engine.hazard.base import probability
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.policy.cost import (
    CostTerms,
    expected_cost,
    horizon_hours,
    interruption_cost,
    switching_cost,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Risks:
    """The risk of ``c`` candidates; nan: unknown."""

    hazard: Floats  # (c,) [1/h]
    probability: Floats  # (c,) P(interruption within one hour)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The expected cost of ``c`` candidates, rejected ones included; nan: unknown."""

    terms: CostTerms  # (c,) each
    cost: Floats  # (c,) [USD/h] the sum of the terms
    horizon: Floats  # (c,) [h]
    copies: Floats  # (c,) copies of the machine that share a candidate's price
    interruption: float  # [USD] cost of one interruption
    switching: float  # [USD] cost of one move
    double_run: float  # [h] during a move for which the current price is still paid


def risks_of(candidates: Candidates, inputs: Inputs) -> Risks:
    """
    Return the risk of every candidate: the model's for spot pools, none on demand.

    Parameters
    ----------
    candidates : Candidates, c candidates
    inputs : Inputs
        ``model`` and ``stages.enable_family_stress`` are used.

    Returns
    -------
    Risks
        nan where the model returns an unknown hazard.

    Raises
    ------
    ValueError
        If the model does not return one hazard for each spot pool, or one that is negative or
        infinite.
    """
    features = features_of(candidates)
    if not inputs.stages.enable_family_stress:
        features = features.without_family_stress()
    spot = np.asarray(inputs.model.hazard(features), dtype=np.float64)
    if spot.shape != (candidates.spot_count,):
        raise ValueError(f"model: hazards of shape {spot.shape}, not {(candidates.spot_count,)}")
    hazard = np.append(spot, np.zeros(len(candidates) - candidates.spot_count))
    return Risks(hazard, probability(hazard))


def rank(candidates: Candidates, risks: Risks, inputs: Inputs) -> Ranking:
    """
    Return the expected cost of every candidate with a known price and risk.

    Parameters
    ----------
    candidates : Candidates, c candidates
    risks : Risks
    inputs : Inputs
        ``preferences.downtime_usd_per_hour``, ``costs`` and ``stages.bin_packing_on`` are used.

    Returns
    -------
    Ranking
        nan where price or risk is unknown.

    Raises
    ------
    ValueError
        If a cost or a hazard is negative or infinite.

    Notes
    -----
    The formula is :func:`~spot_optimizer.engine.policy.cost.expected_cost`. The machine's own
    candidate has no switching cost. If the current price is unknown, the cost of running double
    is left out of all candidates alike. With bin packing, a price is divided by the whole copies
    of the machine that fit by vCPU and memory, at least one.
    """
    value = inputs.preferences.downtime_usd_per_hour
    interruption = interruption_cost(inputs.costs, value)
    price_now = float(candidates.price[candidates.current])
    switching = switching_cost(inputs.costs, value, 0.0 if np.isnan(price_now) else price_now)
    copies = _copies(candidates) if inputs.stages.bin_packing_on else np.ones(len(candidates))
    known = ~np.isnan(risks.hazard) & ~np.isnan(candidates.price)
    moves = np.full(len(candidates), switching)
    moves[candidates.current] = 0.0
    parts = expected_cost(
        (candidates.price / copies)[known], risks.hazard[known], interruption, moves[known]
    )
    terms = CostTerms(*(_spread(part, known) for part in parts))
    return Ranking(
        terms=terms,
        cost=terms.total,
        horizon=_spread(horizon_hours(risks.hazard[known]), known),
        copies=copies,
        interruption=interruption,
        switching=switching,
        double_run=inputs.costs.double_run_minutes / 60,
    )


def in_order(candidates: Candidates, cost: Floats, accepted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """
    Return the indices of the accepted candidates, lowest expected cost first.

    Parameters
    ----------
    candidates : Candidates, c candidates
    cost : ndarray, shape (c,)
        Expected cost; nan: unknown, sorted last. [USD/h]
    accepted : ndarray of bool, shape (c,)

    Returns
    -------
    ndarray of int, shape (number of accepted candidates,)

    Notes
    -----
    Equal costs are sorted by price, then by the type's name, the zone, and spot before on demand,
    so that the order depends on nothing but the candidates.
    """
    last_to_first = (
        ~candidates.is_spot,
        candidates.zone_index,
        candidates.type_index,
        candidates.price,
        cost,
    )
    indices = np.flatnonzero(accepted)
    return indices[np.lexsort([key[indices] for key in last_to_first])]


def _copies(candidates: Candidates) -> Floats:
    own = candidates.own_type
    by_memory = candidates.memory_gib // own.memory_gib
    return np.maximum(1.0, np.minimum(candidates.vcpu // own.vcpu, by_memory))


def _spread(values: Floats, known: NDArray[np.bool_]) -> Floats:
    spread = np.full(known.shape, np.nan)
    spread[known] = values
    return spread
