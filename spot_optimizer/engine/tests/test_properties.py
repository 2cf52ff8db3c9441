from dataclasses import replace
from math import exp, inf, log

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.inputs import Inputs
from spot_optimizer.engine.market import Market
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.serialization import (
    deserialize_inputs,
    inputs_hash,
    serialize_decision,
    serialize_inputs,
)
from spot_optimizer.engine.tests.strategies import CALM, PRIOR, TYPES, ZONES, inputs
from spot_optimizer.engine.texts.choice import reason_of
from spot_optimizer.engine.verdicts import (
    PoolVerdict,
    ranked_verdicts,
    rejected_verdicts,
    verdict_of,
)

BY_POOL = ("type_index", "zone_index", "spot_price", "low_7d", "high_7d")


def key(verdict: PoolVerdict) -> tuple[str, str, str]:
    return verdict.instance_type, verdict.zone, verdict.purchase


def chosen(decision: Decision) -> tuple[str, str, str]:
    return key(verdict_of(decision, decision.chosen))


def columns(market: Market, pools: list[int]) -> Market:
    return replace(market, **{name: getattr(market, name)[pools] for name in BY_POOL})


def shuffled(market: Market, types: list[int], zones: list[int], pools: list[int]) -> Market:
    mixed = columns(market, pools)
    return replace(
        mixed,
        types=tuple(market.types[i] for i in types),
        on_demand_price=market.on_demand_price[types],
        band=market.band[types],
        zones=tuple(market.zones[i] for i in zones),
        type_index=np.argsort(types)[mixed.type_index],
        zone_index=np.argsort(zones)[mixed.zone_index],
    )


@given(inputs())
def test_every_candidate_is_accepted_or_rejected_for_a_reason(given_inputs):
    decision = decide(given_inputs)
    counts = decision.counts

    assert counts["considered"] == counts["kept"] + sum(counts["rejected"].values())
    assert counts["considered"] == len(ranked_verdicts(decision)) + len(rejected_verdicts(decision))
    assert all(verdict.rejected_because for verdict in rejected_verdicts(decision))
    assert not any(verdict.rejected_because for verdict in ranked_verdicts(decision))


@given(inputs())
def test_the_target_is_accepted_and_differs_from_the_current_candidate(given_inputs):
    decision = decide(given_inputs)

    assert decision.rejection[decision.current] == 0
    assert (decision.target is None) == (decision.action == "STAY")
    if decision.target is not None:
        assert decision.rejection[decision.target] == 0
        assert decision.target != decision.current


@given(inputs())
def test_an_interrupted_spot_machine_always_has_a_target(given_inputs):
    spot = given_inputs.machine._replace(purchase="spot")

    decision = decide(replace(given_inputs, machine=spot, signal="TERMINATION"))

    assert decision.action == "EVACUATE"


@given(inputs())
def test_each_stage_starts_with_the_candidates_of_the_stage_before(given_inputs):
    decision = decide(given_inputs)
    traces = decision.traces

    assert traces[0].candidates_in == decision.counts["considered"]
    assert traces[-1].candidates_out == decision.counts["kept"]
    assert [t.candidates_in for t in traces[1:]] == [t.candidates_out for t in traces[:-1]]
    assert all(t.candidates_in == t.candidates_out for t in traces if t.status == "disabled")


@given(inputs())
def test_no_unknown_value_is_a_number_in_a_verdict(given_inputs):
    decision = decide(given_inputs)

    for row in range(len(decision.candidates)):
        verdict = verdict_of(decision, row)
        numbers = [x for x in [*verdict, *(verdict.terms or {}).values()] if isinstance(x, float)]
        assert all(-inf < number < inf for number in numbers)
        assert "nan" not in (verdict.would_win_if or "")
        assert "inf" not in (verdict.would_win_if or "")
    assert "nan" not in reason_of(decision)


@given(inputs(), st.data())
def test_order_changes_no_byte(given_inputs, data):
    market = given_inputs.market
    other = shuffled(
        market,
        data.draw(st.permutations(range(len(TYPES)))),
        data.draw(st.permutations(range(len(ZONES)))),
        data.draw(st.permutations(range(len(market.type_index)))),
    )
    mixed = replace(given_inputs, market=other)

    assert inputs_hash(mixed) == inputs_hash(given_inputs)
    assert serialize_decision(decide(mixed)) == serialize_decision(decide(given_inputs))


@given(inputs())
def test_deserialized_inputs_give_the_same_decision(given_inputs):
    serialized = serialize_inputs(given_inputs)

    assert serialize_inputs(deserialize_inputs(serialized)) == serialized
    assert serialize_decision(decide(deserialize_inputs(serialized))) == serialize_decision(
        decide(given_inputs)
    )


@given(inputs(models=PRIOR))
def test_a_pool_that_cannot_be_used_changes_nothing_for_the_others(given_inputs):
    market = given_inputs.market
    useful = [i for i, kind in enumerate(market.type_index) if TYPES[kind].name != "m6g.large"]
    without = replace(given_inputs, market=columns(market, useful))

    after, before = decide(given_inputs), decide(without)

    # of another architecture, and alone in its family
    ranked_after, ranked_before = ranked_verdicts(after), ranked_verdicts(before)
    assert list(map(key, ranked_after)) == list(map(key, ranked_before))
    assert chosen(after) == chosen(before)
    assert [v.expected_cost for v in ranked_verdicts(after)] == [
        v.expected_cost for v in ranked_verdicts(before)
    ]


@given(inputs(CALM, PRIOR), st.data())
def test_a_pool_never_wins_by_a_higher_price(given_inputs, data):
    # without family stress: with it, a rise raises the hazard of the whole family, rivals included
    market = given_inputs.market
    assume(len(market.type_index))
    pool = data.draw(st.integers(0, len(market.type_index) - 1))
    prices = market.spot_price.copy()
    prices[pool] += data.draw(st.sampled_from([0.001, 0.02, 5.0]))
    name = TYPES[market.type_index[pool]].name, ZONES[market.zone_index[pool]], "spot"
    before = decide(given_inputs)
    assume(chosen(before) != name)

    after = decide(replace(given_inputs, market=replace(market, spot_price=prices)))

    assert chosen(after) != name


def cost_by_hand(given_inputs: Inputs, decision: Decision, row: int) -> float:
    """Return the cost of one candidate from the formulas of the docs, one number at a time."""
    verdict, here = verdict_of(decision, row), verdict_of(decision, decision.current)
    value = given_inputs.preferences.downtime_usd_per_hour
    hazard = 0.0
    assert verdict.price is not None
    assert verdict.crash_probability is not None
    if verdict.interruption_band is not None:
        share = (0.025, 0.075, 0.125, 0.175, 0.30)[verdict.interruption_band]
        hazard = -log(1 - share) / 730
    assert abs(verdict.crash_probability - (1 - exp(-hazard))) < 1e-12
    own = next(kind for kind in TYPES if kind.name == "m5.large")
    bin_packing_on = given_inputs.stages.enable_bin_packing
    copies = min(verdict.vcpu // own.vcpu, verdict.memory_gib // own.memory_gib)
    if not bin_packing_on or given_inputs.stages.pipeline_mode != "CLUSTER_FULL" or copies < 1:
        copies = 1
    cost = verdict.price / copies + hazard * value * 20 / 60
    if row == decision.current:
        return cost
    move = (here.price or 0.0) * 6 / 60 + value * 0.5 / 60
    return cost + move / (min(24, 1 / hazard) if hazard else 24)


@given(inputs(CALM, PRIOR))
def test_agrees_with_a_search_by_hand(given_inputs):
    decision = decide(replace(given_inputs, signal="NONE"))
    rows = [row for row in decision.order.tolist() if row != decision.current]

    costs = {row: cost_by_hand(given_inputs, decision, row) for row in rows}

    for row, cost in costs.items():
        assert abs(verdict_of(decision, row).expected_cost - cost) < 1e-12
    here = verdict_of(decision, decision.current)
    staying = here.price if here.expected_cost is None else here.expected_cost
    if not costs or staying is None:
        assert decision.action == "STAY"
        return
    cheapest = min(costs.values())
    assume(abs(cheapest - 0.95 * staying) > 1e-9)
    assert decision.action == ("SWITCH" if cheapest < 0.95 * staying else "STAY")
    if decision.target is not None:
        assert costs[decision.target] - cheapest < 1e-12
