import numpy as np
import pytest

from spot_optimizer.engine.inputs import Costs
from spot_optimizer.engine.policy.cost import (
    expected_cost,
    horizon_hours,
    interruption_cost,
    switching_cost,
    yield_score,
)
from spot_optimizer.engine.tests.builders import NAN


class TestExpectedCost:
    def test_agrees_with_a_calculation_by_hand(self):
        # 0.08 + 0.5 · 0.20 + 0.01 / min(24, 1 / 0.5) = 0.08 + 0.10 + 0.005
        terms = expected_cost([0.08], [0.5], 0.20, [0.01])

        assert terms.price == pytest.approx([0.08])
        assert terms.risk == pytest.approx([0.10])
        assert terms.switching == pytest.approx([0.005])
        assert terms.total == pytest.approx([0.185])

    def test_equals_the_price_without_hazard_and_move(self):
        assert expected_cost([0.08], [0.0], 5.0, [0.0]).total.tolist() == [0.08]

    def test_rises_with_each_argument(self):
        least = expected_cost([0.08], [0.5], 0.20, [0.01]).total

        assert expected_cost([0.09], [0.5], 0.20, [0.01]).total > least
        assert expected_cost([0.08], [0.6], 0.20, [0.01]).total > least
        assert expected_cost([0.08], [0.5], 0.21, [0.01]).total > least
        assert expected_cost([0.08], [0.5], 0.20, [0.02]).total > least

    def test_agrees_with_a_simulation(self):
        price, hazard, interruption, switching, hours = 0.08, 0.25, 0.20, 0.04, 4.0
        rng = np.random.default_rng(0)
        strikes = np.cumsum(rng.exponential(1 / hazard, size=(50_000, 20)), axis=1) < hours
        paid = price * hours + strikes.sum(axis=1) * interruption + switching

        expected = expected_cost([price], [hazard], interruption, [switching]).total

        assert expected == pytest.approx([paid.mean() / hours], rel=0.01)

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            (([-0.1], [0.5], 0.2, [0.0]), "price"),
            (([0.1], [NAN], 0.2, [0.0]), "hazard"),
            (([0.1], [0.5], float("inf"), [0.0]), "interruption"),
            (([0.1], [0.5], 0.2, [-1.0]), "switching"),
            (([0.1, 0.2], [0.5], 0.2, [0.0]), "price"),
        ],
    )
    def test_names_an_invalid_argument(self, arguments, name):
        with pytest.raises(ValueError, match=name):
            expected_cost(*arguments)


def test_an_interruption_costs_boot_restore_and_lost_work():
    # 6 USD/h · (3 + 2 + 15) min / 60 = 2 USD
    assert interruption_cost(Costs(), 6.0) == pytest.approx(2.0)
    assert interruption_cost(Costs(), 0.0) == 0.0


def test_a_move_costs_double_running_and_the_cutover():
    # 0.5 USD/h · 6 min / 60 + 6 USD/h · 0.5 min / 60 = 0.05 + 0.05 USD
    assert switching_cost(Costs(), 6.0, price_now=0.5) == pytest.approx(0.10)


def test_an_invalid_cost_is_named():
    with pytest.raises(ValueError, match="downtime_usd_per_hour"):
        interruption_cost(Costs(), -1.0)
    with pytest.raises(ValueError, match="lost_work_minutes"):
        interruption_cost(Costs(lost_work_minutes=-1), 1.0)
    with pytest.raises(ValueError, match="price_now"):
        switching_cost(Costs(), 1.0, price_now=NAN)


def test_the_horizon_is_the_mean_lifetime_but_at_most_a_day():
    assert horizon_hours([0.0, 0.01, 0.5]).tolist() == [24.0, 24.0, 2.0]


class TestYieldScore:
    def test_is_the_discount_times_the_probability_of_no_interruption(self):
        # 0.7 · (1 - 0.1) = 0.63
        assert yield_score([0.7], [0.1]) == pytest.approx([0.63])

    def test_is_unknown_if_an_argument_is_unknown(self):
        assert np.isnan(yield_score([NAN, 0.5], [0.5, NAN])).all()

    @pytest.mark.parametrize(
        ("discount", "probability"), [([1.1], [0.5]), ([0.5], [-0.1]), ([0.5], [])]
    )
    def test_refuses_values_outside_zero_to_one(self, discount, probability):
        with pytest.raises(ValueError, match=r"discount|probability"):
            yield_score(discount, probability)
