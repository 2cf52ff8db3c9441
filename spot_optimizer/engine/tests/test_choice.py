from math import log

import numpy as np
import pytest

from spot_optimizer.engine.decision import Decision
from spot_optimizer.engine.inputs import Costs, Preferences, Stages
from spot_optimizer.engine.market import Market
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.tests.builders import (
    HERE,
    NAN,
    THERE,
    a_machine,
    a_market,
    a_prior,
    a_type,
    inputs_of,
)
from spot_optimizer.engine.texts.choice import reason_of
from spot_optimizer.engine.texts.stages import trace_of
from spot_optimizer.engine.verdicts import verdict_of

NO_RISK = a_prior(monthly_share=(0.0,) * 5)
FREE = Preferences(downtime_usd_per_hour=0.0)
ON_DEMAND = a_machine(purchase="on_demand")


def target(decision: Decision) -> tuple[str, str, str] | None:
    if decision.target is None:
        return None
    verdict = verdict_of(decision, decision.target)
    return verdict.instance_type, verdict.zone, verdict.purchase


def two_zones(here: float, there: float) -> Market:
    return a_market(("m5.large", HERE, here), ("m5.large", THERE, there))


class TestWithoutASignal:
    # with V = 0 and no risk: cost there = price there + 0.050 · (6 / 60) / 24 = price + 0.000208

    def test_switches_if_the_saving_is_above_the_floor(self):
        # 0.0472 + 0.000208 = 0.047408 < 0.050 · 0.95 = 0.0475
        decision = decide(inputs_of(two_zones(0.050, 0.0472), preferences=FREE, model=NO_RISK))

        assert decision.action == "SWITCH"
        assert target(decision) == ("m5.large", THERE, "spot")
        assert "0.047408" in reason_of(decision)

    def test_stays_if_the_saving_is_below_the_floor(self):
        # 0.0473 + 0.000208 = 0.047508 > 0.0475
        decision = decide(inputs_of(two_zones(0.050, 0.0473), preferences=FREE, model=NO_RISK))

        assert (decision.action, target(decision)) == ("STAY", None)
        assert "5%" in reason_of(decision)

    def test_switches_to_on_demand_if_risk_costs_more(self):
        # hazard 0.3567 / 730 h · 5,000 USD/h · 20 / 60 h = 0.81 USD/h, on demand 0.10 and the move
        market = a_market(("m5.large", HERE, 0.05), bands={"m5.large": 4})
        dear = Preferences(downtime_usd_per_hour=5000.0)

        # the move: 5,000 · 0.5 / 60 / 24 = 1.74 USD/h
        assert decide(inputs_of(market, preferences=dear)).action == "STAY"
        quick = inputs_of(market).costs._replace(cutover_downtime_minutes=0.0)
        decision = decide(inputs_of(market, preferences=dear, costs=quick))

        assert decision.action == "SWITCH"
        assert target(decision) == ("m5.large", HERE, "on_demand")

    def test_an_unknown_current_risk_is_replaced_by_the_price_alone(self):
        unlisted = {"m5.large": -1}
        market = a_market(("m5.large", HERE, 0.05), ("c5.large", HERE, 0.0472), bands=unlisted)

        decision = decide(inputs_of(market, preferences=FREE, model=NO_RISK))

        assert decision.action == "SWITCH"
        assert decision.crash_probability is None
        assert verdict_of(decision, decision.current).expected_cost is None
        assert "price alone" in reason_of(decision)

    def test_stays_if_the_current_price_is_unknown(self):
        decision = decide(inputs_of(a_market(("m5.large", THERE, 0.01))))

        assert decision.action == "STAY"
        assert "unknown" in reason_of(decision)
        assert verdict_of(decision, decision.current).price is None

    def test_stays_if_no_other_candidate_is_accepted(self):
        market = a_market(("m5.large", HERE, 0.05), on_demand={"m5.large": NAN})

        decision = decide(inputs_of(market))

        assert decision.action == "STAY"
        assert decision.counts == {
            "considered": 2,
            "kept": 1,
            "rejected": {"no_on_demand_price": 1},
        }

    @pytest.mark.parametrize("order", [1, -1])
    def test_equal_costs_go_by_name_then_zone(self, order):
        pools = [
            ("m5.large", HERE, 0.05),
            ("c5.large", "use1-az3", 0.03),
            ("c5.large", THERE, 0.03),
            ("d5.large", HERE, 0.03),
        ]

        decision = decide(inputs_of(a_market(*pools[::order])))

        assert target(decision) == ("c5.large", THERE, "spot")

    def test_equal_costs_go_by_name_before_purchase(self):
        market = a_market(
            ("m5.large", HERE, 0.05),
            ("c5.large", HERE, 0.09),
            ("d5.large", HERE, 0.03),
            on_demand={"c5.large": 0.03},
        )

        decision = decide(inputs_of(market, model=NO_RISK))

        assert target(decision) == ("c5.large", HERE, "on_demand")

    def test_an_on_demand_machine_moves_to_spot(self):
        decision = decide(inputs_of(two_zones(0.05, 0.04), machine=ON_DEMAND))

        assert target(decision) == ("m5.large", THERE, "spot")
        assert decision.crash_probability == 0.0


class TestInterruptionNotice:
    def test_evacuates_even_to_a_more_expensive_pool(self):
        decision = decide(inputs_of(two_zones(0.03, 0.06), signal="TERMINATION"))

        assert decision.action == "EVACUATE"
        assert target(decision) == ("m5.large", THERE, "spot")

    def test_evacuates_to_the_own_type_on_demand_without_another_candidate(self):
        decision = decide(inputs_of(a_market(("m5.large", HERE, 0.03)), signal="TERMINATION"))

        assert target(decision) == ("m5.large", HERE, "on_demand")

    def test_the_last_resort_may_have_an_unknown_price(self):
        market = a_market(("m5.large", HERE, 0.03), on_demand={"m5.large": NAN})

        decision = decide(inputs_of(market, signal="TERMINATION"))

        assert target(decision) == ("m5.large", HERE, "on_demand")
        assert "last resort" in reason_of(decision)
        assert verdict_of(decision, decision.target).rejected_because is None
        assert decision.counts == {"considered": 2, "kept": 2, "rejected": {}}
        assert decision.projected_savings == (None, None, None)

    def test_evacuates_if_the_current_price_is_unknown(self):
        market = a_market(("m5.large", THERE, 0.06))

        decision = decide(inputs_of(market, signal="TERMINATION"))

        assert target(decision) == ("m5.large", THERE, "spot")
        assert any("price paid now is unknown" in step["note"] for step in trace_of(decision))


class TestRebalanceRecommendation:
    def test_drains_if_staying_is_too_risky(self):
        decision = decide(inputs_of(two_zones(0.03, 0.06), signal="REBALANCE"))

        assert decision.action == "DRAIN"
        assert target(decision) == ("m5.large", THERE, "spot")

    @pytest.mark.parametrize(("there", "action"), [(0.0358, "DRAIN"), (0.0360, "STAY")])
    def test_stays_if_moving_costs_over_a_fifth_more(self, there, action):
        # V = 0: staying costs 0.03, the move 0.03 · 0.1 / 24 = 0.000125; 0.03 · 1.2 = 0.036
        decision = decide(inputs_of(two_zones(0.03, there), signal="REBALANCE", preferences=FREE))

        assert decision.action == action

    def test_raises_the_risk_of_staying_to_the_precision_of_the_signal(self):
        # 0.03 + -ln(0.7) · (6 USD/h · 20 / 60 h) = 0.03 + 0.713350 = 0.743350
        service = Preferences(downtime_usd_per_hour=6.0)

        decision = decide(inputs_of(two_zones(0.03, 0.06), signal="REBALANCE", preferences=service))

        assert 0.03 - log(0.7) * 2 == pytest.approx(0.743350, abs=1e-6)
        assert "0.743350 USD/h here" in reason_of(decision)

    def test_a_risk_above_the_precision_is_not_changed(self):
        # share 1 - e^-2 within 1 h: hazard 2 / h, staying costs 0.03 + 2 · 1/3 = 0.696667
        grave = a_prior(monthly_share=(1 - np.exp(-2.0),) * 5, hours_per_month=1.0)

        decision = decide(inputs_of(two_zones(0.03, 0.06), signal="REBALANCE", model=grave))

        assert "staying costs 0.696667" in trace_of(decision)[7]["note"]

    def test_stays_after_a_recommendation_without_an_alternative(self):
        market = a_market(("m5.large", HERE, 0.05), on_demand={"m5.large": NAN})

        assert decide(inputs_of(market, signal="REBALANCE")).action == "STAY"

    def test_drains_if_the_current_price_is_unknown(self):
        decision = decide(inputs_of(a_market(("m5.large", THERE, 0.06)), signal="REBALANCE"))

        assert decision.action == "DRAIN"
        assert "unknown amount" in reason_of(decision)


@pytest.mark.parametrize("signal", ["REBALANCE", "TERMINATION"])
def test_spot_signals_are_ignored_for_a_machine_on_demand(signal):
    inputs = inputs_of(two_zones(0.12, 0.11), machine=ON_DEMAND, signal=signal)

    decision = decide(inputs)

    assert decision.action == "STAY"
    assert f"{signal} concerns spot capacity" in trace_of(decision)[7]["note"]


def test_savings_are_the_difference_of_the_prices():
    decision = decide(inputs_of(two_zones(0.05, 0.03)))

    # 0.05 - 0.03 = 0.02 USD/h, · 730 = 14.6 USD, 40 %
    assert decision.projected_savings == pytest.approx((0.02, 14.6, 40.0))


def test_staying_saves_nothing():
    assert decide(inputs_of(two_zones(0.05, 0.05))).projected_savings == (0.0, 0.0, 0.0)


def test_a_move_to_on_demand_has_a_negative_saving():
    decision = decide(inputs_of(a_market(("m5.large", HERE, 0.04)), signal="TERMINATION"))

    # 0.04 - 0.10 = -0.06 USD/h
    assert decision.projected_savings.hourly == pytest.approx(-0.06)


def test_a_spot_price_above_on_demand_has_a_discount_of_zero():
    decision = decide(inputs_of(a_market(("m5.large", HERE, 0.12))))

    assert verdict_of(decision, decision.current).discount == 0.0
    assert verdict_of(decision, decision.current).score == 0.0


def test_bin_packing_divides_a_price_by_the_copies():
    market = a_market(
        ("m5.large", HERE, 0.05),
        ("m5.xlarge", HERE, 0.08),
        types=[a_type(), a_type("m5.xlarge", vcpu=4, memory_gib=17.0)],
    )
    wide = inputs_of(market).stages._replace(enable_right_sizing=False)

    assert decide(inputs_of(market, stages=wide)).action == "STAY"
    decision = decide(inputs_of(market, stages=wide._replace(enable_bin_packing=True)))

    # 2 copies at 0.04 each; the displayed price is not divided
    assert target(decision) == ("m5.xlarge", HERE, "spot")
    assert verdict_of(decision, decision.target).price == 0.08
    assert decision.projected_savings.hourly == pytest.approx(-0.03)
    linear = wide._replace(enable_bin_packing=True, pipeline_mode="SINGLE_LINEAR")
    assert decide(inputs_of(market, stages=linear)).action == "STAY"


class TestAtTheThreshold:
    # V = 0, no risk and no double running: a move costs the price alone
    exact = {"preferences": FREE, "model": NO_RISK, "costs": Costs(double_run_minutes=0.0)}

    def decide(self, there, **parts):
        pools = [("m5.large", HERE, 1.0), ("m5.large", THERE, there)]
        market = a_market(*pools, on_demand={"m5.large": 5.0})
        return decide(inputs_of(market, **self.exact, **parts))

    def test_exactly_the_floor_less_is_not_enough_to_switch(self):
        # 1.0 · 0.95 = 0.95
        assert self.decide(0.95).action == "STAY"
        assert self.decide(0.9499).action == "SWITCH"

    def test_exactly_the_margin_more_is_still_a_drain(self):
        # 1.0 · 1.2 = 1.2
        assert self.decide(1.2, signal="REBALANCE").action == "DRAIN"
        assert self.decide(1.2001, signal="REBALANCE").action == "STAY"


@pytest.mark.parametrize(
    ("vcpu", "memory_gib", "copies"),
    [(8, 32.0, 4), (8, 16.0, 2), (4, 32.0, 2), (8, 8.0, 1), (2, 32.0, 1), (5, 23.9, 2)],
)
def test_copies_are_limited_by_vcpu_and_by_memory(vcpu, memory_gib, copies):
    types = [a_type(), a_type("m5.xlarge", vcpu=vcpu, memory_gib=memory_gib)]
    market = a_market(("m5.large", HERE, 0.05), ("m5.xlarge", HERE, 0.12), types=types)
    stages = Stages(enable_right_sizing=False, enable_bin_packing=True)

    decision = decide(inputs_of(market, stages=stages))

    larger = decision.candidates.spot_count - 1
    assert decision.ranking.terms.price[larger] == pytest.approx(0.12 / copies)
    assert decision.ranking.copies[larger] == copies
