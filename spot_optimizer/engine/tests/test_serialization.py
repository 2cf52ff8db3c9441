import json
from dataclasses import replace

import pytest

from spot_optimizer.engine.inputs import Preferences
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.serialization import (
    deserialize_inputs,
    inputs_hash,
    serialize_decision,
    serialize_inputs,
)
from spot_optimizer.engine.tests.builders import HERE, NAN, THERE, a_market, a_type, inputs_of

MARKET = a_market(
    ("m5.large", HERE, 0.1 + 0.2), ("c5.large", THERE, 0.04), on_demand={"c5.large": NAN}
)


def test_serialized_inputs_give_the_same_bytes_and_decision():
    serialized = serialize_inputs(inputs_of(MARKET))

    restored = deserialize_inputs(serialized)

    assert serialize_inputs(restored) == serialized
    assert serialize_decision(decide(restored)) == serialize_decision(decide(inputs_of(MARKET)))


def test_unknown_prices_are_null_and_floats_are_the_shortest():
    market = json.loads(serialize_inputs(inputs_of(MARKET)))["market"]

    assert market["on_demand_price"] == [None, 0.1]
    assert b"0.30000000000000004" in serialize_inputs(inputs_of(MARKET))


def test_the_order_of_pools_types_and_zones_changes_no_hash():
    a, b = ("m5.large", HERE, 0.05), ("c5.large", THERE, 0.04)

    assert inputs_hash(inputs_of(a_market(a, b))) == inputs_hash(inputs_of(a_market(b, a)))


def test_integers_and_equal_floats_serialize_to_the_same_bytes():
    whole = replace(MARKET, types=tuple(t._replace(memory_gib=8) for t in MARKET.types))
    preferences = Preferences(downtime_usd_per_hour=1)

    assert serialize_inputs(inputs_of(whole, preferences=preferences)) == serialize_inputs(
        inputs_of(MARKET)
    )


@pytest.mark.parametrize(
    "part",
    [
        {"signal": "REBALANCE"},
        {"model_ref": "advisor-prior@2:0000"},
        {"preferences": Preferences(safety_gate=0.84)},
        {"market": replace(MARKET, as_of="2026-03-01T12:05:00Z")},
        {"market": replace(MARKET, types=(a_type(vcpu=4), a_type("c5.large")))},
    ],
)
def test_any_difference_changes_the_hash(part):
    inputs = inputs_of(MARKET)

    assert inputs_hash(replace(inputs, **part)) != inputs_hash(inputs)


def test_the_hash_is_sha_256_in_hex():
    assert len(bytes.fromhex(inputs_hash(inputs_of(MARKET)))) == 32


@pytest.mark.parametrize("serialized", [b"", b"[]", b"{}", b"\xff", b'{"machine": {"zone": 1}}'])
def test_refuses_to_deserialize_other_bytes(serialized):
    with pytest.raises(ValueError, match=r".+"):
        deserialize_inputs(serialized)


def test_refuses_to_deserialize_an_invalid_market():
    body = json.loads(serialize_inputs(inputs_of(MARKET)))
    body["market"]["spot_price"][0] = -1.0

    with pytest.raises(ValueError, match="spot_price"):
        deserialize_inputs(json.dumps(body).encode())
