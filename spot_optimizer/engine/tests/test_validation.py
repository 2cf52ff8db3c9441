from dataclasses import replace

import numpy as np
import pytest

from spot_optimizer.engine.inputs import Costs, Preferences, Stages
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.tests.builders import (
    HERE,
    NAN,
    THERE,
    a_machine,
    a_market,
    a_type,
    inputs_of,
)
from spot_optimizer.engine.validation import canonical, validate

MARKET = a_market(("m5.large", HERE, 0.05), ("m5.large", THERE, 0.04))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("spot_price", [0.05]),
        ("spot_price", [0.05, NAN]),
        ("spot_price", [0.05, -0.01]),
        ("spot_price", [0.05, float("inf")]),
        ("on_demand_price", [0.0]),
        ("band", [5]),
        ("band", [0.5]),
        ("type_index", [0, 1]),
        ("type_index", [[0, 0]]),
        ("zone_index", [0, -1]),
        ("zone_index", [0, 0]),
        ("low_7d", [0.01, NAN]),
    ],
)
def test_an_invalid_market_column_is_named(column, value):
    inputs = inputs_of(replace(MARKET, **{column: np.array(value)}))

    with pytest.raises(ValueError, match=column):
        decide(inputs)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"signal": "MAYBE"}, "signal"),
        ({"machine": a_machine(purchase="reserved")}, "purchase"),
        ({"machine": a_machine(instance_type="m9.large")}, "instance_type"),
        ({"machine": a_machine(zone="")}, "zone"),
        ({"preferences": Preferences(safety_gate=1.1)}, "safety_gate"),
        ({"preferences": Preferences(safety_gate=NAN)}, "safety_gate"),
        ({"preferences": Preferences(downtime_usd_per_hour=-1)}, "downtime_usd_per_hour"),
        ({"stages": Stages(pipeline_mode="BOTH")}, "pipeline_mode"),
        ({"costs": Costs(boot_minutes=float("inf"))}, "boot_minutes"),
        ({"model": object()}, "model"),
    ],
)
def test_an_invalid_input_is_named(part, name):
    with pytest.raises(ValueError, match=name):
        decide(inputs_of(MARKET, **part))


@pytest.mark.parametrize(
    "facts", [{"vcpu": 0}, {"memory_gib": NAN}, {"accelerators": -1}, {"ena": "maybe"}]
)
def test_a_type_with_invalid_facts_is_refused(facts):
    market = replace(MARKET, types=(a_type("m5.large", **facts),))

    with pytest.raises(ValueError, match="types"):
        decide(inputs_of(market))


def test_a_market_without_a_valid_time_is_refused():
    with pytest.raises(ValueError, match="as_of"):
        decide(inputs_of(replace(MARKET, as_of="yesterday")))


def test_a_type_listed_twice_is_refused():
    twins = replace(
        MARKET,
        types=(a_type(), a_type()),
        on_demand_price=np.array([0.1, 0.1]),
        band=np.array([0, 0]),
    )

    with pytest.raises(ValueError, match="types"):
        decide(inputs_of(twins))


def test_inputs_are_validated_before_the_first_stage():
    stages = []

    with pytest.raises(ValueError, match="signal"):
        decide(inputs_of(MARKET, signal="MAYBE"), on_stage=stages.append)

    assert stages == []


def test_canonical_order_is_by_names():
    market = a_market(("m5.large", THERE, 0.04), ("c5.large", HERE, 0.03), ("m5.large", HERE, 0.05))

    ordered = canonical(inputs_of(market)).market

    assert [kind.name for kind in ordered.types] == ["c5.large", "m5.large"]
    assert ordered.zones == (HERE, THERE)
    assert ordered.type_index.tolist() == [0, 1, 1]
    assert ordered.zone_index.tolist() == [0, 0, 1]
    assert ordered.spot_price.tolist() == [0.03, 0.05, 0.04]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"on_demand_price": np.array([0.0])}, "on_demand_price"),
        ({"spot_price": np.array([0.05, 0.0])}, "spot_price"),
        ({"zone_index": np.array([0, 2])}, "zone_index"),
        ({"types": (a_type(memory_gib=0.0),)}, "memory"),
    ],
)
def test_a_value_just_outside_its_range_is_refused(change, name):
    with pytest.raises(ValueError, match=name):
        validate(inputs_of(replace(MARKET, **change)))
