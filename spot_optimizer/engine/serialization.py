"""Inputs as bytes and back: what a decision was made on, kept and hashed."""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spot_optimizer.engine.hazard.artifact import parse_model
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import InstanceType, Machine, Market
from spot_optimizer.engine.validation import canonical, check

PRICES = ("on_demand_price", "spot_price", "low_7d", "high_7d")
WHOLE = {"band": np.int8, "type_index": np.intp, "zone_index": np.intp}
TUPLES = ("architectures", "virtualization_types", "boot_modes")


def serialize_inputs(inputs: Inputs) -> bytes:
    """
    Return the inputs as canonical JSON: keys sorted, unknown prices as null, shortest floats.

    The order of types, zones and pools changes no byte.

    :raises ValueError: naming the argument, if the inputs mean nothing.
    """
    check(inputs)
    inputs = canonical(inputs)
    body = {
        "machine": inputs.machine._asdict(),
        "market": _market(inputs.market),
        "preferences": inputs.preferences._asdict(),
        "stages": inputs.stages._asdict(),
        "costs": inputs.costs._asdict(),
        "signal": inputs.signal,
        "model": inputs.model.artifact(),
        "model_ref": inputs.model_ref,
    }
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def deserialize_inputs(frozen: bytes) -> Inputs:
    """
    Return the inputs that were frozen, in canonical order: freezing them again gives the bytes.

    :raises ValueError: if the bytes are not what :func:`serialize_inputs` writes.
    """
    try:
        body = json.loads(frozen)
        inputs = Inputs(
            machine=Machine(**body["machine"]),
            market=_thawed_market(body["market"]),
            preferences=Preferences(**body["preferences"]),
            stages=Stages(**body["stages"]),
            costs=Costs(**body["costs"]),
            signal=body["signal"],
            model=parse_model(body["model"]),
            model_ref=body["model_ref"],
        )
        check(inputs)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"frozen: not the inputs of a decision ({error})") from error
    return canonical(inputs)


def inputs_hash(inputs: Inputs) -> str:
    """Return the SHA-256 of the serialized inputs, in hex."""
    return hash_of_serialized(serialize_inputs(inputs))


def hash_of_serialized(frozen: bytes) -> str:
    """Return the same of inputs that are frozen already."""
    return hashlib.sha256(frozen).hexdigest()


def _market(market: Market) -> dict[str, Any]:
    return {
        "region": market.region,
        "as_of": market.as_of,
        "types": [_type(each) for each in market.types],
        "zones": market.zones,
        **{name: plain(getattr(market, name)) for name in PRICES},
        **{name: getattr(market, name).tolist() for name in WHOLE},
    }


def _type(kind: InstanceType) -> dict[str, Any]:
    # 8 and 8.0 GiB are one fact and must be one text
    sizes = {name: float(getattr(kind, name)) for name in ("memory_gib", "local_storage_gib")}
    return {**kind._asdict(), **sizes}


def _thawed_market(body: dict[str, Any]) -> Market:
    prices: dict[str, Any] = {name: np.array(body[name], dtype=np.float64) for name in PRICES}
    whole: dict[str, Any] = {name: np.array(body[name], dtype=WHOLE[name]) for name in WHOLE}
    return Market(
        region=body["region"],
        as_of=body["as_of"],
        types=tuple(_thawed_type(each) for each in body["types"]),
        zones=tuple(body["zones"]),
        **prices,
        **whole,
    )


def _thawed_type(body: dict[str, Any]) -> InstanceType:
    return InstanceType(**{**body, **{name: tuple(body[name]) for name in TUPLES}})


def plain(column: NDArray[np.float64]) -> list[float | None]:
    """Return an array's numbers as JSON has them: an unknown one, nan, is None."""
    return [None if number != number else number for number in column.tolist()]
