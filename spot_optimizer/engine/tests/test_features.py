import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_optimizer.engine.candidates import candidates_of
from spot_optimizer.engine.features import (
    discount_depth,
    features_of,
    price_position,
    stress_of_others,
)
from spot_optimizer.engine.tests.builders import HERE, NAN, THERE, a_market, inputs_of
from spot_optimizer.engine.validation import canonical


class TestPricePosition:
    def test_is_the_position_in_the_range(self):
        # (0.03 - 0.02) / (0.06 - 0.02) = 0.25
        assert price_position([0.03], [0.02], [0.06]) == pytest.approx([0.25])

    def test_a_new_high_is_one_and_a_new_low_is_zero(self):
        assert price_position([0.07, 0.01], [0.02, 0.02], [0.06, 0.06]).tolist() == [1.0, 0.0]

    def test_a_range_of_width_zero_has_no_position(self):
        assert np.isnan(price_position([0.05], [0.05], [0.05])).all()

    def test_an_unknown_range_has_no_position(self):
        assert np.isnan(price_position([0.05], [NAN], [NAN])).all()

    def test_refuses_different_shapes(self):
        with pytest.raises(ValueError, match="price, low, high"):
            price_position([0.05], [0.05, 0.04], [0.05])

    def test_refuses_invalid_prices(self):
        with pytest.raises(ValueError, match="low"):
            price_position([0.05], [0.0], [0.05])


class TestDiscountDepth:
    def test_is_the_share_of_the_on_demand_price_that_spot_saves(self):
        # 1 - 0.03 / 0.10 = 0.7; above on demand: 1 - 0.12 / 0.10 = -0.2
        assert discount_depth([0.03, 0.12], [0.10, 0.10]) == pytest.approx([0.7, -0.2])

    def test_is_unknown_without_an_on_demand_price(self):
        assert np.isnan(discount_depth([0.03], [NAN])).all()


class TestStressOfOthers:
    def test_leaves_the_pool_itself_out(self):
        mean, highest = stress_of_others([0.0, 0.4, 1.0, 0.5], [0, 0, 0, 1])

        # (0.4 + 1.0) / 2, (0.0 + 1.0) / 2, (0.0 + 0.4) / 2; the last has no neighbor
        assert mean[:3] == pytest.approx([0.7, 0.5, 0.2])
        assert highest[:3].tolist() == [1.0, 1.0, 0.4]
        assert np.isnan([mean[3], highest[3]]).all()

    def test_unknown_positions_are_left_out(self):
        mean, highest = stress_of_others([NAN, 0.4, NAN], [0, 0, 0])

        assert mean[[0, 2]].tolist() == highest[[0, 2]].tolist() == [0.4, 0.4]
        assert np.isnan([mean[1], highest[1]]).all()

    def test_two_equal_highest_count_for_each_other(self):
        _, highest = stress_of_others([0.8, 0.8], [0, 0])

        assert highest.tolist() == [0.8, 0.8]

    def test_of_no_pools_is_empty(self):
        mean, highest = stress_of_others([], [])

        assert len(mean) == len(highest) == 0

    @pytest.mark.parametrize(
        ("position", "group", "name"), [([1.5], [0], "position"), ([0.5], [-1], "group")]
    )
    def test_names_an_invalid_argument(self, position, group, name):
        with pytest.raises(ValueError, match=name):
            stress_of_others(position, group)

    @given(st.lists(st.tuples(st.none() | st.floats(0, 1), st.integers(0, 3)), max_size=12))
    def test_agrees_with_a_search_by_hand(self, pools):
        values = [NAN if value is None else value for value, _ in pools]

        mean, highest = stress_of_others(values, [group for _, group in pools])

        for i, (_, group) in enumerate(pools):
            others = [v for j, (v, g) in enumerate(pools) if g == group and j != i]
            known = [v for v in others if v is not None]
            expected = [sum(known) / len(known), max(known)] if known else [NAN, NAN]
            assert [mean[i], highest[i]] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_features_include_the_stress_of_family_and_region():
    market = a_market(
        ("m5.large", HERE, 0.02),
        ("m5.large", THERE, 0.06),
        ("c5.large", HERE, 0.04),
        low=0.02,
        high=0.06,
    )
    inputs = canonical(inputs_of(market))

    features = features_of(candidates_of(inputs.market, inputs.machine))

    # positions by name: c5 here 0.5, m5 here 0, m5 there 1
    assert features.price_position == pytest.approx([0.5, 0.0, 1.0])
    assert features.family_stress_mean == pytest.approx([NAN, 1.0, 0.0], nan_ok=True)
    # region: (0 + 1) / 2, (0.5 + 1) / 2, (0.5 + 0) / 2
    assert features.region_stress_mean == pytest.approx([0.5, 0.75, 0.25])
    assert features.discount_depth == pytest.approx([0.6, 0.8, 0.4])
