import pytest

from spot_optimizer.engine.filters import mismatch
from spot_optimizer.engine.inputs import Preferences, Stages
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
from spot_optimizer.engine.verdicts import ranked_verdicts, rejected_verdicts

GPU = {"accelerator": "NVIDIA V100", "accelerators": 1}
ON_XEN = {"ena": "supported", "nvme_required": False}


class TestMismatch:
    @pytest.mark.parametrize(
        ("own", "facts", "machine", "reason"),
        [
            ({}, {}, {}, None),
            ({}, {"architectures": ("arm64",)}, {}, "architecture"),
            ({}, {"architectures": ("i386", "x86_64")}, {}, None),
            ({}, GPU, {}, "accelerator"),
            (GPU, {}, {}, "accelerator"),
            (GPU, {**GPU, "accelerator": "NVIDIA T4"}, {}, "accelerator"),
            (GPU, {**GPU, "accelerators": 4}, {}, None),
            ({**GPU, "accelerators": 4}, GPU, {}, "accelerator"),
            ({"local_storage_gib": 75.0}, {}, {}, "local_storage"),
            ({}, {"local_storage_gib": 75.0}, {}, None),
            ({}, {"bare_metal": True}, {}, "bare_metal"),
            ({"bare_metal": True}, {}, {}, "bare_metal"),
            ({}, {"burstable": True}, {}, "burstable"),
            ({"burstable": True}, {}, {}, None),
            ({"burstable": True}, {"burstable": True}, {}, None),
            ({}, {"current_generation": False}, {}, "previous_generation"),
            ({"current_generation": False}, {}, {}, None),
            ({"current_generation": False}, {"current_generation": False}, {}, None),
            (ON_XEN, {}, {"ena_support": False}, "network_driver"),
            (ON_XEN, {"ena": "supported"}, {"ena_support": False}, "storage_driver"),
            (ON_XEN, {}, {"ena_support": True}, None),
            (ON_XEN, ON_XEN, {"ena_support": False}, None),
            ({}, {}, {"virtualization_type": "paravirtual"}, "virtualization"),
            ({}, {"boot_modes": ("legacy-bios",)}, {"boot_mode": "uefi"}, "boot_mode"),
            ({}, {"boot_modes": ("legacy-bios",)}, {"boot_mode": "uefi-preferred"}, None),
            ({}, {"boot_modes": ()}, {"boot_mode": "uefi-preferred"}, "boot_mode"),
            ({}, {"boot_modes": ("uefi",)}, {"boot_mode": None}, None),
        ],
    )
    def test_returns_the_first_fact_that_does_not_match(self, own, facts, machine, reason):
        kind, mine = a_type("m6i.large", **facts), a_type(**own)

        assert mismatch(kind, mine, a_machine(**machine)) == reason


def rejections(*, facts=None, bands=None, on_demand=None, pools=None, **parts):
    """Return why each candidate of a second type is rejected, by purchase option."""
    market = a_market(
        *(pools or [("m5.large", HERE, 0.05), ("x.large", HERE, 0.04)]),
        types=[a_type(), a_type("x.large", **(facts or {}))],
        bands=bands,
        on_demand=on_demand,
    )
    decision = decide(inputs_of(market, **parts))
    verdicts = ranked_verdicts(decision) + rejected_verdicts(decision)
    return {v.purchase: v.rejected_because for v in verdicts if v.instance_type == "x.large"}


def both(reason):
    return {"spot": reason, "on_demand": reason}


class TestSize:
    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"vcpu": 1}, "fewer_vcpu"),
            ({"memory_gib": 7.5}, "less_memory"),
            ({"vcpu": 4, "memory_gib": 16.0}, None),
            ({"vcpu": 5}, "oversized"),
            ({"memory_gib": 16.5}, "oversized"),
        ],
    )
    def test_at_least_as_large_and_at_most_twice(self, facts, reason):
        assert rejections(facts=facts) == both(reason)

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"vcpu": 1, "memory_gib": 4.0}, None),
            ({"vcpu": 1, "memory_gib": 3.5}, "less_memory"),
        ],
    )
    def test_half_the_size_is_enough_with_allow_smaller(self, facts, reason):
        assert rejections(facts=facts, preferences=Preferences(allow_smaller=True)) == both(reason)

    @pytest.mark.parametrize(
        "stages", [Stages(enable_right_sizing=False), Stages(pipeline_mode="SINGLE_LINEAR")]
    )
    def test_nothing_is_oversized_if_right_sizing_is_off(self, stages):
        assert rejections(facts={"vcpu": 16}, stages=stages) == both(None)


class TestAdvisor:
    filtered = Preferences(advisor_filter=True)

    def test_the_worst_band_is_rejected_on_spot_only(self):
        found = rejections(bands={"x.large": 4}, preferences=self.filtered)

        assert found == {"spot": "advisor_band", "on_demand": None}

    def test_an_unlisted_pool_is_rejected_on_spot_only(self):
        found = rejections(bands={"x.large": -1}, preferences=self.filtered)

        assert found == {"spot": "advisor_unlisted", "on_demand": None}

    def test_is_off_by_default(self):
        assert rejections(bands={"x.large": 4}) == both(None)


def test_a_pool_of_unknown_risk_is_dropped():
    assert rejections(bands={"x.large": -1}) == {"spot": "risk_unknown", "on_demand": None}


def test_the_safety_gate_rejects_risky_pools():
    # band 4: P = 1 - exp(-0.000488596) = 0.000488
    cautious = Preferences(safety_gate=0.0004)

    found = rejections(bands={"x.large": 4}, preferences=cautious)

    assert found == {"spot": "safety_gate", "on_demand": None}


def test_an_unknown_on_demand_price_rejects_the_pool_and_offers_nothing_on_demand():
    assert rejections(on_demand={"x.large": NAN}) == {"spot": "no_on_demand_price"}


def test_a_type_not_offered_as_spot_may_be_bought_on_demand():
    found = rejections(facts={"spot_supported": False})

    assert found == {"spot": "not_offered_as_spot", "on_demand": None}


def test_on_demand_is_offered_in_the_machines_zone_only():
    pools = [("m5.large", HERE, 0.05), ("x.large", THERE, 0.04)]

    assert rejections(pools=pools) == {"spot": None}
