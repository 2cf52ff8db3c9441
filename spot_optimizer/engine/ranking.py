"""What each row is expected to cost, and the order that follows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.candidates import Rows
from spot_optimizer.engine.cost import (
    Terms,
    expected_cost,
    horizon_hours,
    interruption_cost,
    switching_cost,
)
from spot_optimizer.engine.features import features_of
from spot_optimizer.engine.hazard.base import probability
from spot_optimizer.engine.inputs import Inputs

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Risks:
    """The risk of each row; nan: unknown."""

    hazard: Floats  # [1/h]
    chance: Floats  # P(interruption within one hour)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What each row is expected to cost, whether it is kept or not; nan: unknown."""

    terms: Terms
    cost: Floats  # [USD/h] the sum of the terms
    horizon: Floats  # [h]
    copies: Floats  # copies of the work that share the price of a row
    interruption: float  # [USD] of one interruption
    switching: float  # [USD] of one move
    double_run: float  # [h] for which the price paid now is paid on


def assess(rows: Rows, inputs: Inputs) -> Risks:
    """
    Return the risk of every row: the model's for spot, none on demand.

    :raises ValueError: if the model answers with anything but a hazard for each spot pool.
    """
    features = features_of(rows)
    if not inputs.stages.enable_family_stress:
        features = features.without_family_stress()
    spot = np.asarray(inputs.model.hazard(features), dtype=np.float64)
    if spot.shape != (rows.spots,):
        raise ValueError(f"model: hazards of shape {spot.shape}, not {(rows.spots,)}")
    hazard = np.append(spot, np.zeros(len(rows) - rows.spots))
    return Risks(hazard, probability(hazard))


def rank(rows: Rows, risks: Risks, inputs: Inputs) -> Ranking:
    """
    Return the expected cost of every row with a known price and risk.

    Where the price paid now is unknown, running double is left out of every row alike.
    """
    value = inputs.preferences.downtime_usd_per_hour
    interruption = interruption_cost(inputs.costs, value)
    price_now = float(rows.price[rows.current])
    switching = switching_cost(inputs.costs, value, 0.0 if np.isnan(price_now) else price_now)
    copies = _copies(rows) if inputs.stages.bin_packing_on else np.ones(len(rows))
    known = ~np.isnan(risks.hazard) & ~np.isnan(rows.price)
    moves = np.full(len(rows), switching)
    moves[rows.current] = 0.0
    parts = expected_cost(
        (rows.price / copies)[known], risks.hazard[known], interruption, moves[known]
    )
    terms = Terms(*(_spread(part, known) for part in parts))
    return Ranking(
        terms=terms,
        cost=terms.total,
        horizon=_spread(horizon_hours(risks.hazard[known]), known),
        copies=copies,
        interruption=interruption,
        switching=switching,
        double_run=inputs.costs.double_run_minutes / 60,
    )


def in_order(rows: Rows, cost: Floats, among: NDArray[np.bool_]) -> NDArray[np.intp]:
    """
    Return the rows of a mask, cheapest expected first, unknown costs last.

    Ties go to the lower price, then to the type's name, then to the zone's, then to spot.
    """
    rank_of = (~rows.is_spot, rows.zone_index, rows.type_index, rows.price, cost)
    chosen = np.flatnonzero(among)
    return chosen[np.lexsort([key[chosen] for key in rank_of])]


def explain_ranking(rows: Rows, ranking: Ranking, inputs: Inputs, kept: int) -> str:
    """Return the sentence from which every expected cost can be recomputed by hand."""
    costs, value = inputs.costs, inputs.preferences.downtime_usd_per_hour
    down = costs.boot_minutes + costs.restore_minutes + costs.lost_work_minutes
    note = (
        f"Ranked {kept} by price + hazard · {ranking.interruption:.8g} USD + "
        f"{ranking.switching:.8g} USD / horizon. An hour of downtime is worth {value:.8g} USD; an "
        f"interruption costs {down:g} minutes of it (boot {costs.boot_minutes:g}, restore "
        f"{costs.restore_minutes:g}, lost work {costs.lost_work_minutes:g}); a move costs "
        f"{_double_run(rows, costs.double_run_minutes)} and {costs.cutover_downtime_minutes:g} "
        "minutes of downtime, nothing for where the machine is; hazard = -ln(1 - "
        "crash_probability) per hour; horizon = min(24 h, 1 / hazard)."
    )
    if not inputs.stages.bin_packing_on:
        return note
    return f"{note} Bin packing is on: a price is divided by the whole copies it could host."


def _double_run(rows: Rows, minutes: float) -> str:
    price = rows.price[rows.current]
    if np.isnan(price):
        return "nothing for running double, because the price paid now is unknown,"
    return f"{minutes:g} minutes at the {price:.8g} USD/h paid now"


def _copies(rows: Rows) -> Floats:
    own = rows.own_type
    return np.maximum(1.0, np.minimum(rows.vcpu // own.vcpu, rows.memory_gib // own.memory_gib))


def _spread(values: Floats, known: NDArray[np.bool_]) -> Floats:
    spread = np.full(known.shape, np.nan)
    spread[known] = values
    return spread
