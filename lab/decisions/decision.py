"""Runs the engine and returns its decision as the API shows it."""

import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from lab.registry.selection import ModelChoice
from spot_optimizer.aws.products import NoPrices
from spot_optimizer.engine import pipeline
from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.serialization import hash_of_serialized, serialize_inputs
from spot_optimizer.engine.texts.choice import reason_of
from spot_optimizer.engine.texts.stages import trace_of
from spot_optimizer.engine.trace import StageTrace
from spot_optimizer.engine.verdicts import (
    PoolVerdict,
    ranked_verdicts,
    rejected_verdicts,
    verdict_of,
)

CANDIDATES = 10  # in a decision's body
BANDS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")  # the Spot Advisor's, per month
RISK_HORIZON_HOURS = 1


class DecisionResult(NamedTuple):
    """A decision as the API returns it, all pools with their verdicts, and the engine's result."""

    body: dict[str, Any]
    pools: list[dict[str, Any]]
    decision: Decision
    serialized_inputs: bytes


class StageTimer:
    """Measures the stages; pass it as ``on_stage``."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self._began = perf_counter()

    def __call__(self, _: StageTrace) -> None:
        now = perf_counter()
        self.milliseconds.append(round((now - self._began) * 1000, 2))
        self._began = now


def decide(
    inputs: Inputs, *, model_choice: ModelChoice, zone_names: Mapping[str, str]
) -> DecisionResult:
    """
    Run the pipeline and return the decision.

    ``zone_names`` maps zone ids to the account's zone names; unknown ids stay unchanged.

    :raises NoPrices: the price of the machine itself is unknown, so nothing can be compared with it
    :raises ValueError: the inputs are invalid (a bug of the caller)
    """
    _check_own_price(inputs)
    timer = StageTimer()
    decision = pipeline.decide(inputs, on_stage=timer)
    serialized = serialize_inputs(inputs)
    accepted = [_pool(verdict, zone_names) for verdict in ranked_verdicts(decision)]
    rejected = [_pool(verdict, zone_names) for verdict in rejected_verdicts(decision)]
    target = None if decision.target is None else verdict_of(decision, decision.target)
    with_zone_names = _zone_name_writer(zone_names)
    body = {
        "decision": decision.action,
        "reason": with_zone_names(reason_of(decision)),
        "crash_probability": decision.crash_probability,
        "risk_horizon_hours": RISK_HORIZON_HOURS,
        "aws_signal": inputs.signal,
        "current": _pool(verdict_of(decision, decision.current), zone_names),
        "target": None if target is None else _pool(target, zone_names),
        "projected_savings": decision.projected_savings._asdict(),
        "candidates": accepted[:CANDIDATES],
        "counts": decision.counts,
        "trace": [
            step | {"note": with_zone_names(step["note"]), "ms": ms}
            for step, ms in zip(trace_of(decision), timer.milliseconds, strict=True)
        ],
        "model": model_choice.model.identity,
        "model_fallback": model_choice.fallback,
        "market_as_of": inputs.market.as_of,
        "pipeline_mode": inputs.stages.pipeline_mode,
        "inputs_hash": hash_of_serialized(serialized),
    }
    return DecisionResult(body, accepted + rejected, decision, serialized)


def _check_own_price(inputs: Inputs) -> None:
    machine, market = inputs.machine, inputs.market
    own_type = [kind.name == machine.instance_type for kind in market.types]
    is_known = bool(np.isfinite(market.on_demand_price[own_type]).any())
    if machine.purchase == "spot":
        own_zone = [zone == machine.zone for zone in market.zones]
        own_pool = np.array(own_type)[market.type_index] & np.array(own_zone)[market.zone_index]
        is_known &= bool(np.isfinite(market.spot_price[own_pool]).any())
    if not is_known:
        raise NoPrices(
            f"The price of {machine.instance_type} in {machine.zone} is not known at that time, "
            "so nothing can be compared with it. Check type, zone and time."
        )


def _zone_name_writer(zone_names: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that replaces zone ids in a text by the account's zone names."""
    if not zone_names:
        return str
    ids = re.compile("|".join(rf"\b{re.escape(zone_id)}\b" for zone_id in zone_names))
    return lambda text: ids.sub(lambda match: zone_names[match[0]], text)


def _pool(verdict: PoolVerdict, zone_names: Mapping[str, str]) -> dict[str, Any]:
    pool = verdict._asdict()
    zone, band = pool.pop("zone"), pool.pop("interruption_band")
    return {
        "instance_type": pool.pop("instance_type"),
        "availability_zone": zone_names.get(zone, zone),
        "availability_zone_id": zone,
        **pool,
        "interruption_rate": None if band is None else BANDS[band],
    }
