"""Between the engine and the contract: runs the pipeline, and says its outcome as the API does."""

import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from lab.queries import Asked
from spot_optimizer.aws.products import NoPrices
from spot_optimizer.engine import pipeline
from spot_optimizer.engine.decision import Decision, PoolVerdict
from spot_optimizer.engine.inputs import Inputs, Preferences
from spot_optimizer.engine.serialization import hash_of_serialized, serialize_inputs

TOP = 10
BANDS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")  # the Spot Advisor's, a month
Tell = Callable[[dict[str, Any]], None]
RISK_HORIZON_HOURS = 1


class DecisionResult(NamedTuple):
    """A decision as the API answers it, every pool with its verdict, and what the engine said."""

    body: dict[str, Any]
    pools: list[dict[str, Any]]
    outcome: Decision
    inputs: bytes  # as the engine freezes them


def preferences_of(stored: Mapping[str, Any]) -> Preferences:
    return Preferences(**{name: stored[name] for name in Preferences._fields if name in stored})


def decide(
    inputs: Inputs,
    *,
    asked: Asked,
    zone_names: Mapping[str, str],
    tell: Tell,
) -> DecisionResult:
    """
    Run the pipeline, tell each stage's trace as it ends, and return the decision.

    ``zone_names`` maps zone ids to the account's own names; an id without a name stays as it is.

    :raises NoPrices: what the machine itself costs is unknown, so nothing can be compared with it
    :raises ValueError: an input makes no sense (a bug of the caller)
    """
    trace: list[dict[str, Any]] = []
    _check_own_price(inputs)
    named = _namer(zone_names)
    outcome = _run(inputs, trace, tell, named)
    current = outcome.pool(outcome.current)
    kept = [_pool(verdict, zone_names) for verdict in outcome.ranked()]
    rejected = [_pool(verdict, zone_names) for verdict in outcome.rejected()]
    target = None if outcome.target is None else outcome.pool(outcome.target)
    frozen = serialize_inputs(inputs)
    body = {
        "decision": outcome.decision,
        "reason": named(outcome.reason),
        "crash_probability": outcome.crash_probability,
        "risk_horizon_hours": RISK_HORIZON_HOURS,
        "aws_signal": inputs.signal,
        "current": _pool(current, zone_names),
        "target": None if target is None else _pool(target, zone_names),
        "projected_savings": outcome.projected_savings._asdict(),
        "candidates": kept[:TOP],
        "counts": outcome.counts,
        "trace": trace,
        "model": asked.model.named,
        "model_fallback": asked.fallback,
        "market_as_of": inputs.market.as_of,
        "pipeline_mode": inputs.stages.pipeline_mode,
        "inputs_hash": hash_of_serialized(frozen),
    }
    return DecisionResult(body, kept + rejected, outcome, frozen)


def _check_own_price(inputs: Inputs) -> None:
    machine, market = inputs.machine, inputs.market
    own_type = [kind.name == machine.instance_type for kind in market.types]
    is_known = bool(np.isfinite(market.on_demand_price[own_type]).any())
    if machine.purchase == "spot":
        in_zone = [zone == machine.zone for zone in market.zones]
        here = np.array(own_type)[market.type_index] & np.array(in_zone)[market.zone_index]
        is_known &= bool(np.isfinite(market.spot_price[here]).any())
    if not is_known:
        raise NoPrices(
            f"What {machine.instance_type} in {machine.zone} costs is not known at that moment, "
            "so nothing can be compared with it. Check type, zone and moment."
        )


def _namer(zone_names: Mapping[str, str]) -> Callable[[str], str]:
    """Return what writes the account's own zone names where the engine says zone ids."""
    if not zone_names:
        return str
    ids = re.compile("|".join(rf"\b{re.escape(zone_id)}\b" for zone_id in zone_names))
    return lambda text: ids.sub(lambda found: zone_names[found[0]], text)


def _run(
    inputs: Inputs, trace: list[dict[str, Any]], tell: Tell, named: Callable[[str], str]
) -> Decision:
    stages = pipeline.run(inputs)
    while True:
        began = perf_counter()
        try:
            stage = next(stages)
        except StopIteration as end:
            outcome: Decision = end.value
            return outcome
        ms = round((perf_counter() - began) * 1000, 2)
        step = stage.as_dict() | {"note": named(stage.note), "ms": ms}
        trace.append(step)
        tell(step)


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
