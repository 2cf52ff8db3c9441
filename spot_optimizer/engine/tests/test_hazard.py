import json
from math import exp, log

import numpy as np
import pytest

from spot_optimizer.engine.features import Features
from spot_optimizer.engine.hazard.artifact import parse_model
from spot_optimizer.engine.hazard.base import hazard_from_probability, probability
from spot_optimizer.engine.tests.builders import NAN, a_logistic, a_prior


def features(bands: list[int], stress: list[float]) -> Features:
    unknown = np.full(len(bands), NAN)
    return Features(
        advisor_band=np.array(bands, dtype=np.int8),
        price_position=unknown,
        discount_depth=unknown,
        family_stress_mean=np.array(stress),
        family_stress_max=unknown,
        region_stress_mean=unknown,
    )


def an_artifact(**changes: object) -> dict[str, object]:
    return {**a_prior().artifact(), **changes}


def parameters(**changes: object) -> dict[str, object]:
    return {**a_prior().artifact()["parameters"], **changes}


class TestAdvisorPrior:
    def test_a_monthly_share_becomes_an_hourly_hazard(self):
        # band 4: -ln(1 - 0.30) / 730 h = 0.356675 / 730 = 0.000488596
        assert a_prior().hazard(features([4], [NAN])) == pytest.approx([0.000488596], rel=1e-5)

    def test_agrees_with_a_simulation_of_lifetimes(self):
        hazard = a_prior().hazard(features([4], [NAN]))[0]
        lives = np.random.default_rng(0).exponential(1 / hazard, size=100_000)

        assert (lives < 730).mean() == pytest.approx(0.30, abs=0.005)

    def test_stress_doubles_and_halves(self):
        calm, neutral, stressed = a_prior(family_stress_doublings=2.0).hazard(
            features([2, 2, 2], [0.0, 0.5, 1.0])
        )

        assert stressed == pytest.approx(2 * neutral)
        assert calm == pytest.approx(neutral / 2)

    def test_unknown_stress_is_neutral(self):
        unknown, neutral = a_prior().hazard(features([2, 2], [NAN, 0.5]))

        assert unknown == neutral

    def test_an_unlisted_pool_has_an_unknown_hazard(self):
        assert np.isnan(a_prior().hazard(features([-1], [0.5]))).all()

    def test_refuses_a_band_that_does_not_exist(self):
        with pytest.raises(ValueError, match="advisor_band"):
            a_prior().hazard(features([5], [0.5]))


class TestProbability:
    def test_is_one_minus_the_probability_of_no_interruption(self):
        assert probability([0.0, 0.5]) == pytest.approx([0.0, 1 - exp(-0.5)])

    def test_is_unknown_if_the_hazard_is_unknown(self):
        assert np.isnan(probability([NAN])).all()

    def test_refuses_a_negative_hazard(self):
        with pytest.raises(ValueError, match="hazard"):
            probability([-0.1])

    def test_hazard_from_probability_is_the_inverse(self):
        assert hazard_from_probability(0.30) == pytest.approx(-log(0.7))
        assert probability([hazard_from_probability(0.30)]) == pytest.approx([0.30])

    def test_a_probability_of_one_is_refused(self):
        with pytest.raises(ValueError, match="probability"):
            hazard_from_probability(1.0)


class TestParseModel:
    @pytest.mark.parametrize("model", [a_prior(), a_logistic()])
    def test_parses_the_artifact_of_a_model_into_an_equal_model(self, model):
        assert parse_model(json.loads(json.dumps(model.artifact()))) == model

    @pytest.mark.parametrize(
        ("artifact", "wrong"),
        [
            ([], "model"),
            ({"kind": "advisor_prior"}, "model"),
            (an_artifact(kind="oracle"), "kind"),
            (an_artifact(horizon_hours=6), "horizon_hours"),
            (an_artifact(horizon_hours=True), "horizon_hours"),
            (an_artifact(features=["advisor_band"]), "features"),
            (an_artifact(features="advisor_band"), "features"),
            (an_artifact(parameters=None), "parameters"),
            (an_artifact(parameters=parameters(extra=1)), "parameters"),
            (an_artifact(parameters=parameters(monthly_share=0.1)), "monthly_share"),
            (an_artifact(parameters=parameters(monthly_share=[0.1] * 4)), "monthly_share"),
            (an_artifact(parameters=parameters(monthly_share=[0.1] * 4 + [1.0])), "monthly_share"),
            (an_artifact(parameters=parameters(monthly_share=[0.1] * 4 + [0.05])), "falls"),
            (an_artifact(parameters=parameters(monthly_share=["0.1"] * 5)), "monthly_share"),
            (an_artifact(parameters=parameters(monthly_share=[NAN] * 5)), "monthly_share"),
            (an_artifact(parameters=parameters(hours_per_month=0)), "hours_per_month"),
            (an_artifact(parameters=parameters(hours_per_month=10**400)), "hours_per_month"),
            (an_artifact(parameters=parameters(family_stress_doublings=-1)), "doublings"),
        ],
    )
    def test_the_error_names_the_invalid_field(self, artifact, wrong):
        with pytest.raises(ValueError, match=wrong):
            parse_model(artifact)
