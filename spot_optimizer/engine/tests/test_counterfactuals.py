import re
from dataclasses import replace

import pytest
from hypothesis import given

from spot_optimizer.engine.counterfactuals import Change, RelaxedFilters
from spot_optimizer.engine.inputs import Inputs, Preferences
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.tests.builders import HERE, THERE, a_market, a_prior, a_type, inputs_of
from spot_optimizer.engine.tests.strategies import CALM, PRIOR, TYPES, ZONES, inputs
from spot_optimizer.engine.texts.counterfactuals import _sentence
from spot_optimizer.engine.verdicts import (
    PoolVerdict,
    ranked_verdicts,
    rejected_verdicts,
    verdict_of,
)

FREE = Preferences(downtime_usd_per_hour=0.0)
PLAIN = {"preferences": FREE, "model": a_prior(monthly_share=(0.0,) * 5)}


def verdict_on(inputs: Inputs, name: str, zone: str = HERE, purchase: str = "spot") -> PoolVerdict:
    decision = decide(inputs)
    verdicts = ranked_verdicts(decision) + rejected_verdicts(decision)
    return next(
        v for v in verdicts if (v.instance_type, v.zone, v.purchase) == (name, zone, purchase)
    )


class TestWouldWinIf:
    def test_is_none_for_the_choice_itself(self):
        inputs = inputs_of(a_market(("m5.large", HERE, 0.05), ("m5.large", THERE, 0.03)))

        assert verdict_on(inputs, "m5.large", THERE).would_win_if is None

    def test_names_the_price_an_accepted_candidate_needs(self):
        # staying costs 0.05 · 0.95 = 0.0475; the move 0.05 · 0.1 / 24 = 0.00020833
        inputs = inputs_of(a_market(("m5.large", HERE, 0.05), ("m5.large", THERE, 0.049)), **PLAIN)

        sentence = verdict_on(inputs, "m5.large", THERE).would_win_if

        assert sentence == "Would be the choice if its price fell below 0.047291 USD/h."

    def test_names_the_price_at_which_the_machine_would_have_stayed(self):
        # 0.95 · p = 0.03 + p · 0.1 / 24: p = 0.03 / (0.95 - 0.0041667) = 0.0317181
        inputs = inputs_of(a_market(("m5.large", HERE, 0.05), ("m5.large", THERE, 0.03)), **PLAIN)

        sentence = verdict_on(inputs, "m5.large").would_win_if

        assert sentence == "Would be the choice if its price fell below 0.031718 USD/h."

    @pytest.mark.parametrize(
        ("facts", "preferences", "setting"),
        [
            ({"vcpu": 1}, FREE, "smaller machines were allowed (allow_smaller)"),
            ({"vcpu": 16}, FREE, "right-sizing were off (enable_right_sizing)"),
            (
                {},
                FREE._replace(advisor_filter=True),
                "the Advisor filter were off (advisor_filter)",
            ),
            # band 4: P = 1 - exp(0.356675 / 730) = 0.000488
            ({}, FREE._replace(safety_gate=0.0), "the safety gate were 0.0005 or more"),
        ],
    )
    def test_names_the_setting_that_has_to_change(self, facts, preferences, setting):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.01),
            types=[a_type(), a_type("c5.large", **facts)],
            bands={"c5.large": 4},
        )

        verdict = verdict_on(inputs_of(market, preferences=preferences), "c5.large")

        assert verdict.rejected_because is not None
        assert setting in verdict.would_win_if
        assert "price" not in verdict.would_win_if

    def test_names_setting_and_price_if_both_are_needed(self):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.06),
            types=[a_type(), a_type("c5.large", vcpu=16)],
        )

        sentence = verdict_on(inputs_of(market, **PLAIN), "c5.large").would_win_if

        assert sentence == (
            "Would be the choice if right-sizing were off (enable_right_sizing) "
            "and its price fell below 0.047291 USD/h."
        )

    def test_does_not_name_a_setting_that_is_on_already(self):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.06),
            types=[a_type(), a_type("c5.large", vcpu=1)],
        )
        smaller = FREE._replace(allow_smaller=True)

        sentence = verdict_on(inputs_of(market, preferences=smaller), "c5.large").would_win_if

        assert sentence.startswith("Would be the choice if its price fell below 0.0472")

    def test_does_not_compete_with_the_current_candidate(self):
        # after a rebalance recommendation the limit is the target's cost, 0.06 + 0.03 · 0.1 / 24
        market = a_market(
            ("m5.large", HERE, 0.03),
            ("m5.large", THERE, 0.06),
            ("c5.large", HERE, 0.05),
            types=[a_type(), a_type("c5.large", vcpu=16)],
        )
        inputs = inputs_of(market, signal="REBALANCE", preferences=Preferences())

        sentence = verdict_on(inputs, "c5.large").would_win_if

        assert sentence == "Would be the choice if right-sizing were off (enable_right_sizing)."

    def test_does_not_compete_with_candidates_rejected_by_other_settings(self):
        # cheaper, but still rejected: d5 for its size, e5 for its band, m6g for its architecture
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.03),
            ("d5.large", HERE, 0.01),
            ("e5.large", HERE, 0.01),
            ("m6g.large", HERE, 0.01),
            types=[
                a_type(),
                a_type("c5.large", vcpu=1),
                a_type("d5.large", vcpu=16),
                a_type("e5.large"),
                a_type("m6g.large", architectures=("arm64",)),
            ],
            bands={"e5.large": 4},
        )
        filtered = FREE._replace(advisor_filter=True)

        sentence = verdict_on(inputs_of(market, preferences=filtered), "c5.large").would_win_if

        assert sentence == "Would be the choice if smaller machines were allowed (allow_smaller)."

    def test_competes_with_others_that_the_setting_admits(self):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.02),
            ("d5.large", HERE, 0.01),
            types=[a_type(), a_type("c5.large", vcpu=16), a_type("d5.large", vcpu=16)],
        )

        sentence = verdict_on(inputs_of(market, **PLAIN), "c5.large").would_win_if

        assert "its price fell below 0.01" in sentence

    def test_a_candidate_as_cheap_as_the_choice_needs_a_lower_price(self):
        # equal costs: c5 is chosen by its name
        market = a_market(
            ("m5.large", HERE, 0.05), ("c5.large", HERE, 0.03), ("d5.large", HERE, 0.03)
        )

        sentence = verdict_on(inputs_of(market, **PLAIN), "d5.large").would_win_if

        assert re.fullmatch(
            r"Would be the choice if its price fell below 0\.0(30000|29999) USD/h\.", sentence
        )

    def test_competes_with_candidates_exactly_at_the_safety_gate(self):
        # gate 0: on demand, with a probability of exactly 0, is accepted; m5.large costs 0.10 there
        market = a_market(
            ("m5.large", HERE, 0.30),
            ("c5.large", HERE, 0.30),
            types=[a_type(), a_type("c5.large", vcpu=1)],
            on_demand={"c5.large": 0.20},
        )
        inputs = inputs_of(market, preferences=FREE._replace(safety_gate=0.0))

        sentence = verdict_on(inputs, "c5.large", purchase="on_demand").would_win_if

        assert sentence.startswith("Would be the choice if smaller machines were allowed")
        assert re.search(r"and its price fell below 0\.(10|09)", sentence)

    @pytest.mark.parametrize(
        "facts",
        [{"architectures": ("arm64",)}, {"memory_gib": 3.0}, {"spot_supported": False}],
    )
    def test_is_none_if_no_setting_helps(self, facts):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.01),
            types=[a_type(), a_type("c5.large", **facts)],
        )

        assert verdict_on(inputs_of(market), "c5.large").would_win_if is None

    def test_is_none_for_an_interrupted_pool(self):
        market = a_market(("m5.large", HERE, 0.03), ("m5.large", THERE, 0.05))

        verdict = verdict_on(inputs_of(market, signal="TERMINATION"), "m5.large")

        assert verdict.would_win_if is None

    def test_mentions_that_no_price_is_low_enough(self):
        # band 4 at V = 1,000: 0.000489 · 333.3 = 0.163 USD/h of risk, against 0.05 here
        market = a_market(("m5.large", HERE, 0.05), ("c5.large", HERE, 0.01), bands={"c5.large": 4})
        dear = Preferences(downtime_usd_per_hour=1000.0)

        verdict = verdict_on(inputs_of(market, preferences=dear), "c5.large")

        assert verdict.would_win_if.startswith("No price would do")


def changed(inputs: Inputs, verdict: PoolVerdict, step: float) -> Inputs | None:
    """Return the inputs with the changes that the sentence names, a step beside its price."""
    sentence, preferences, stages = verdict.would_win_if or "", inputs.preferences, inputs.stages
    if gate := re.search(r"gate were ([\d.]+) or", sentence):
        preferences = preferences._replace(safety_gate=float(gate[1]))
    if "allow_smaller" in sentence:
        preferences = preferences._replace(allow_smaller=True)
    if "advisor_filter" in sentence:
        preferences = preferences._replace(advisor_filter=False)
    if "enable_right_sizing" in sentence:
        stages = stages._replace(enable_right_sizing=False)
    inputs = replace(inputs, preferences=preferences, stages=stages)
    if price := re.search(r"below ([\d.]+) USD", sentence):
        return cheaper(inputs, verdict, float(price[1]) + step)
    return inputs


def cheaper(inputs: Inputs, verdict: PoolVerdict, price: float) -> Inputs | None:
    if price <= 0:
        return None
    market, kind = inputs.market, [t.name for t in TYPES].index(verdict.instance_type)
    spot, on_demand = market.spot_price.copy(), market.on_demand_price.copy()
    if verdict.purchase == "on_demand":
        on_demand[kind] = price
    else:
        zone = ZONES.index(verdict.zone)
        spot[(market.type_index == kind) & (market.zone_index == zone)] = price
    return replace(inputs, market=replace(market, spot_price=spot, on_demand_price=on_demand))


def winner(inputs: Inputs) -> tuple[str, str, str]:
    decision = decide(inputs)
    return verdict_of(decision, decision.chosen)[:3]


@given(inputs(CALM, PRIOR))
def test_every_named_change_makes_the_candidate_the_choice(given_inputs):
    decision = decide(given_inputs)
    for verdict in ranked_verdicts(decision) + rejected_verdicts(decision):
        if verdict.would_win_if is None or verdict.would_win_if.startswith("No price"):
            continue
        enough = changed(given_inputs, verdict, step=-1e-6)
        if enough is None:
            continue

        assert winner(enough) == verdict[:3], verdict.would_win_if
        if "price" in verdict.would_win_if:
            # the named price is rounded down by less than a step
            too_little = changed(given_inputs, verdict, step=2e-6)
            assert winner(too_little) != verdict[:3], verdict.would_win_if


@pytest.mark.parametrize(
    ("price", "start"),
    [(0.000001, "Would be the choice if"), (0.0, "No price would do"), (-0.1, "No price would do")],
)
def test_a_price_that_has_to_fall_below_zero_is_impossible(price, start):
    change = Change(RelaxedFilters(), price, other_cost=0.2)

    assert _sentence(change, is_current=False).startswith(start)
