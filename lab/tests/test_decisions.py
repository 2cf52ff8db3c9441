"""Decisions on stored history, and the construction of the engine's inputs."""

import pytest

from lab.decisions.as_of import decide_as_of
from lab.decisions.inputs import build_inputs, stages_of
from lab.models import InstanceConfig
from lab.registry.selection import model_for
from spot_optimizer.aws.products import NoPrices
from spot_optimizer.engine.inputs import Costs, Preferences, Stages
from spot_optimizer.engine.stages import Stage
from spot_optimizer.engine.tests.builders import HERE, THERE, a_machine
from spot_optimizer.engine.tests.builders import a_market as engine_market
from spot_optimizer.errors import Missing
from spot_optimizer.market.testing import a_market, a_price, a_type
from spot_optimizer.testing import NOON

MARKET = engine_market(("m5.large", HERE, 0.05), ("m5.large", THERE, 0.03))


def inputs_of(**changes):
    parts = {"config": InstanceConfig(), "preferences": {}, "signal": "NONE"} | changes
    return build_inputs(
        machine=a_machine(), market=MARKET, model=model_for(InstanceConfig()).model, **parts
    )


@pytest.mark.django_db
class TestBuildInputs:
    def test_a_new_config_enables_what_the_engine_enables_by_default(self):
        inputs = inputs_of()

        assert inputs.stages == Stages()
        assert inputs.preferences == Preferences()
        assert inputs.costs == Costs()

    def test_every_switch_of_a_config_is_passed_to_the_engine(self):
        switches = {
            "pipeline_mode": "SINGLE_LINEAR",
            "enable_right_sizing": False,
            "enable_family_stress": False,
            "enable_bin_packing": True,
        }

        assert stages_of(InstanceConfig(**switches)) == Stages(**switches)

    def test_stored_preferences_replace_the_defaults_and_unknown_ones_are_ignored(self):
        stored = {"safety_gate": 0.5, "advisor_filter": True, "color": "red"}

        inputs = inputs_of(preferences=stored)

        assert inputs.preferences == Preferences(safety_gate=0.5, advisor_filter=True)

    def test_signal_and_model_are_passed_on(self):
        inputs = inputs_of(signal="REBALANCE")

        assert inputs.signal == "REBALANCE"
        assert inputs.model_ref.startswith("advisor-prior@")


@pytest.mark.django_db
class TestDecideAsOf:
    def decide(self, **changes):
        where = {
            "instance_type": "m5.large",
            "zone": "use1-az1",
            "region": "us-east-1",
            "purchase": "spot",
            "at": NOON,
        }
        return decide_as_of(**where | changes)

    @pytest.fixture(autouse=True)
    def _market(self):
        a_market(
            a_price("0.05", hours=-48, instance_type="m5.large", zone_id="use1-az1"),
            a_price("0.03", hours=-48, instance_type="m5.large", zone_id="use1-az2"),
            types=(a_type("m5.large"),),
            on_demand={"m5.large": "0.096"},
            bands={"m5.large": 1},
        )

    def test_returns_the_decision_with_nine_stages_and_their_times(self):
        body = self.decide()

        assert body["decision"] == "SWITCH"
        assert body["target"]["availability_zone_id"] == "use1-az2"
        assert [step["stage"] for step in body["trace"]] == list(Stage)
        assert all(step["ms"] >= 0 for step in body["trace"])

    def test_a_repeated_decision_is_equal(self):
        first, second = self.decide(), self.decide()
        for step in first["trace"] + second["trace"]:
            del step["ms"]

        assert first == second

    def test_an_unknown_type_is_missing(self):
        with pytest.raises(Missing, match=r"No facts of x9\.large"):
            self.decide(instance_type="x9.large")

    def test_a_zone_without_prices_is_missing(self):
        with pytest.raises(Missing, match="No prices in use1-az6 are stored, only in use1-az1, us"):
            self.decide(zone="use1-az6")

    def test_a_time_before_the_first_price_is_an_error(self):
        with pytest.raises(NoPrices):
            self.decide(at=NOON.replace(year=2020))
