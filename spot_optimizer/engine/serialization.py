"""Inputs as bytes and back, as they are stored and hashed; and a whole decision as bytes."""

import hashlib
import json
from typing import Any

import numpy as np

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.hazard.artifact import parse_model
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import InstanceType, Machine, Market
from spot_optimizer.engine.rejections import REASONS
from spot_optimizer.engine.texts.choice import reason_of
from spot_optimizer.engine.texts.stages import trace_of
from spot_optimizer.engine.validation import canonical, validate
from spot_optimizer.engine.verdicts import none_for_nan, number_columns

PRICE_COLUMNS = ("on_demand_price", "spot_price", "low_7d", "high_7d")
INTEGER_COLUMNS = {"band": np.int8, "type_index": np.intp, "zone_index": np.intp}
TUPLES = ("architectures", "virtualization_types", "boot_modes")


def serialize_inputs(inputs: Inputs) -> bytes:
    """
    Return the inputs as canonical JSON.

    Parameters
    ----------
    inputs : Inputs
        In any order: the order of types, zones and pools changes no byte.

    Returns
    -------
    bytes
        UTF-8; keys sorted, unknown prices as null, floats as short as possible. The format is
        fixed: stored decisions are replayed from these bytes.

    Raises
    ------
    ValueError
        Naming the argument, if the inputs are invalid.
    """
    validate(inputs)
    inputs = canonical(inputs)
    return _canonical_json(
        {
            "machine": inputs.machine._asdict(),
            "market": _market(inputs.market),
            "preferences": inputs.preferences._asdict(),
            "stages": inputs.stages._asdict(),
            "costs": inputs.costs._asdict(),
            "signal": inputs.signal,
            "model": inputs.model.artifact(),
            "model_ref": inputs.model_ref,
        }
    )


def deserialize_inputs(serialized: bytes) -> Inputs:
    """
    Return the inputs from their bytes, in canonical order.

    Parameters
    ----------
    serialized : bytes
        As :func:`serialize_inputs` returns them; serializing the result returns the same bytes.

    Returns
    -------
    Inputs

    Raises
    ------
    ValueError
        If the bytes are not JSON, have other fields, or describe invalid inputs.
    """
    try:
        body = json.loads(serialized)
        inputs = Inputs(
            machine=Machine(**body["machine"]),
            market=_parse_market(body["market"]),
            preferences=Preferences(**body["preferences"]),
            stages=Stages(**body["stages"]),
            costs=Costs(**body["costs"]),
            signal=body["signal"],
            model=parse_model(body["model"]),
            model_ref=body["model_ref"],
        )
        validate(inputs)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"serialized: not the inputs of a decision ({error})") from error
    return canonical(inputs)


def inputs_hash(inputs: Inputs) -> str:
    """
    Return the hash that identifies the inputs.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    str
        SHA-256 of :func:`serialize_inputs`, 64 hexadecimal digits.

    Raises
    ------
    ValueError
        Naming the argument, if the inputs are invalid.
    """
    return hash_of_serialized(serialize_inputs(inputs))


def hash_of_serialized(serialized: bytes) -> str:
    """
    Return :func:`inputs_hash` of inputs that are serialized already.

    Parameters
    ----------
    serialized : bytes
        As :func:`serialize_inputs` returns them.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    return hashlib.sha256(serialized).hexdigest()


def serialize_decision(decision: Decision) -> bytes:
    """
    Return a decision, its trace and the numbers of all candidates as canonical JSON.

    Parameters
    ----------
    decision : Decision

    Returns
    -------
    bytes
        UTF-8, keys sorted; the same bytes for the same inputs.
    """
    return _canonical_json(
        {
            "decision": decision.action,
            "reason": reason_of(decision),
            "crash_probability": decision.crash_probability,
            "current": decision.current,
            "target": decision.target,
            "counts": decision.counts,
            "projected_savings": decision.projected_savings._asdict(),
            "order": decision.order.tolist(),
            "rows": _candidate_columns(decision),
            "trace": trace_of(decision),
        }
    )


def _canonical_json(body: dict[str, Any]) -> bytes:
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _market(market: Market) -> dict[str, Any]:
    return {
        "region": market.region,
        "as_of": market.as_of,
        "types": [_type(each) for each in market.types],
        "zones": market.zones,
        **{name: none_for_nan(getattr(market, name)) for name in PRICE_COLUMNS},
        **{name: getattr(market, name).tolist() for name in INTEGER_COLUMNS},
    }


def _type(kind: InstanceType) -> dict[str, Any]:
    # 8 and 8.0 GiB are the same size and must have the same bytes
    sizes = {name: float(getattr(kind, name)) for name in ("memory_gib", "local_storage_gib")}
    return {**kind._asdict(), **sizes}


def _parse_market(body: dict[str, Any]) -> Market:
    prices: dict[str, Any] = {
        name: np.array(body[name], dtype=np.float64) for name in PRICE_COLUMNS
    }
    integers: dict[str, Any] = {
        name: np.array(body[name], dtype=dtype) for name, dtype in INTEGER_COLUMNS.items()
    }
    return Market(
        region=body["region"],
        as_of=body["as_of"],
        types=tuple(_parse_type(each) for each in body["types"]),
        zones=tuple(body["zones"]),
        **prices,
        **integers,
    )


def _parse_type(body: dict[str, Any]) -> InstanceType:
    return InstanceType(**{**body, **{name: tuple(body[name]) for name in TUPLES}})


def _candidate_columns(decision: Decision) -> dict[str, list[Any]]:
    candidates = decision.candidates
    numbers = {**number_columns(decision), **decision.ranking.terms._asdict()}
    return {
        "instance_type": [candidates.types[i].name for i in candidates.type_index],
        "zone": [candidates.zones[i] for i in candidates.zone_index],
        "purchase": [candidates.purchase_of(i) for i in range(len(candidates))],
        "rejected_because": [REASONS[code] or None for code in decision.rejection],
        **{name: none_for_nan(column) for name, column in numbers.items()},
    }
