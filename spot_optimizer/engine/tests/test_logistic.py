from copy import deepcopy
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_optimizer.engine.features import Features
from spot_optimizer.engine.hazard.artifact import parse_model
from spot_optimizer.engine.hazard.base import probability
from spot_optimizer.engine.hazard.logistic import MARKET_FEATURES
from spot_optimizer.engine.tests.builders import NAN, a_logistic

AVERAGE = dict(zip(MARKET_FEATURES, (0.5, 0.7, 0.5, 0.9, 0.5), strict=True))
PLACES = st.none() | st.floats(0, 1)
RAISES = [name for name in MARKET_FEATURES if name != "discount_depth"]


def a_pool(band: int = 2, **values: float) -> Features:
    """One pool at the mean of every feature that is not named."""
    columns = {name: np.array([value]) for name, value in {**AVERAGE, **values}.items()}
    return Features(advisor_band=np.array([band], dtype=np.int8), **columns)


def hazard(band: int = 2, **values: float) -> float:
    return float(a_logistic().hazard(a_pool(band, **values))[0])


def without_weight(position: int):
    market = list(a_logistic().market)
    market[position] = market[position]._replace(unknown=None)
    return a_logistic(market=tuple(market))


class TestHazard:
    def test_agrees_with_a_calculation_by_hand(self):
        # z = -1 + 1 (band 4) + 0.5 · (1 - 0.5) / 0.25 = 1; ln(1 + e) / 100 h = 0.0131326
        assert hazard(4, price_position=1.0) == pytest.approx(0.0131326, rel=1e-5)

    def test_a_deep_discount_lowers_it(self):
        # z = -1 - 0.5 · (0.9 - 0.7) / 0.1 = -2; ln(1 + e^-2) / 100 h = 0.00126928
        assert hazard(discount_depth=0.9) == pytest.approx(0.00126928, rel=1e-5)

    def test_an_unknown_feature_has_its_own_weight(self):
        # z = -1 + 0.25
        assert hazard(price_position=NAN) == pytest.approx(log(1 + exp(-0.75)) / 100)

    @pytest.mark.parametrize("position", range(len(MARKET_FEATURES)))
    def test_an_unknown_feature_without_a_weight_gives_an_unknown_hazard(self, position):
        model = without_weight(position)

        assert np.isnan(model.hazard(a_pool(**{MARKET_FEATURES[position]: NAN}))).all()
        assert not np.isnan(model.hazard(a_pool())).any()

    def test_an_unlisted_pool_is_unknown_unless_the_parameters_have_a_weight_for_it(self):
        assert np.isnan(hazard(-1))
        assert a_logistic(band_unknown=0.0).hazard(a_pool(-1)) == [hazard(2)]

    def test_agrees_with_a_simulation_of_lifetimes(self):
        lives = np.random.default_rng(0).exponential(1 / hazard(), size=100_000)

        # z = -1: 1 / (1 + e) = 0.269 of the lifetimes end within the 100 hours
        assert (lives < 100).mean() == pytest.approx(0.269, abs=0.005)

    def test_neither_saturates_nor_overflows(self):
        # ln(1 + exp(z)) is z where z is large, and exp(z) where it is far below 0
        assert a_logistic(intercept=900.0).hazard(a_pool()) == pytest.approx([9.0])
        assert a_logistic(intercept=-30.0).hazard(a_pool()) == pytest.approx([exp(-30) / 100])
        assert a_logistic(intercept=-1000.0).hazard(a_pool()) == [0.0]

    def test_a_worse_band_is_never_safer(self):
        assert np.all(np.diff([hazard(band) for band in range(5)]) > 0)

    @given(st.sampled_from(RAISES), st.floats(0, 1), st.floats(0, 1))
    def test_more_stress_is_never_safer(self, name, one, other):
        low, high = sorted([one, other])

        assert hazard(**{name: low}) <= hazard(**{name: high})

    @given(st.integers(0, 4), st.lists(PLACES, min_size=5, max_size=5))
    def test_is_a_valid_hazard_whatever_is_unknown(self, band, places):
        values = [NAN if place is None else place for place in places]
        features = a_pool(band, **dict(zip(MARKET_FEATURES, values, strict=True)))

        chance = probability(a_logistic().hazard(features))

        assert 0 < chance[0] < 1

    @given(st.permutations(range(5)))
    def test_the_hazard_of_a_pool_does_not_depend_on_others(self, order):
        columns = {name: np.linspace(0, 1, 5) for name in MARKET_FEATURES}
        pools = Features(advisor_band=np.arange(5, dtype=np.int8), **columns)
        mixed = Features._make(column[list(order)] for column in pools)

        assert a_logistic().hazard(mixed).tolist() == (
            a_logistic().hazard(pools)[list(order)].tolist()
        )

    @pytest.mark.parametrize("name", MARKET_FEATURES)
    def test_refuses_infinite_features(self, name):
        with pytest.raises(ValueError, match=name):
            hazard(**{name: -np.inf})

    @pytest.mark.parametrize("band", [-2, 5])
    def test_refuses_a_band_that_does_not_exist(self, band):
        with pytest.raises(ValueError, match="advisor_band"):
            hazard(band)


def test_describes_itself_with_every_parameter():
    sentence = a_logistic(intercept=-1.2345).describe()

    assert "-1.2345 + -1, -0.5, 0, 0.5, 1 for bands 0 to 4, unknown where unknown" in sentence
    assert "discount_depth -0.5 · (value - 0.7) / 0.1, 0.25 where unknown" in sentence
    assert sentence.count(".") - sentence.count("0.") - sentence.count("1.2345") == 1


CHANGES = [
    (("features",), ["advisor_band"], "features"),
    (("features",), None, "features"),
    (("horizon_hours",), 6, "horizon_hours"),
    (("parameters",), [], "parameters"),
    (("parameters", "extra"), 1, "parameters"),
    (("parameters", "window_hours"), 0, "window_hours"),
    (("parameters", "window_hours"), NAN, "window_hours"),
    (("parameters", "intercept"), NAN, "intercept"),
    (("parameters", "intercept"), "0", "intercept"),
    (("parameters", "intercept"), 1e9, "intercept"),
    (("parameters", "advisor_band"), [0, 0, 0, 0, 0], "advisor_band"),
    (("parameters", "advisor_band", "weights"), 0.1, "advisor_band: weights"),
    (("parameters", "advisor_band", "weights"), [0.1] * 4, "advisor_band: 4 weights"),
    (("parameters", "advisor_band", "weights"), [0.1] * 4 + [np.inf], "advisor_band: weights"),
    (("parameters", "advisor_band", "unknown"), True, "advisor_band: unknown"),
    (("parameters", "price_position"), None, "price_position"),
    (("parameters", "price_position", "other"), 1, "price_position"),
    (("parameters", "price_position", "mean"), -np.inf, "price_position: mean"),
    (("parameters", "discount_depth", "scale"), 0, "discount_depth: scale"),
    (("parameters", "discount_depth", "scale"), -1, "discount_depth: scale"),
    (("parameters", "family_stress_max", "weight"), 1001, "family_stress_max: weight"),
    (("parameters", "region_stress_mean", "unknown"), NAN, "region_stress_mean: unknown"),
]


@pytest.mark.parametrize(("path", "value", "wrong"), CHANGES)
def test_the_error_names_the_invalid_part_of_an_artifact(path, value, wrong):
    artifact = deepcopy(a_logistic().artifact())
    part = artifact
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    with pytest.raises(ValueError, match=wrong):
        parse_model(artifact)


def test_the_error_names_the_missing_term():
    with pytest.raises(ValueError, match="market: 4 terms"):
        replace(a_logistic(), market=a_logistic().market[:4])
