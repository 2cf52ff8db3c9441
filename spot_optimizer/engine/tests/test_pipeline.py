import json

import numpy as np
import pytest

from spot_optimizer.engine.inputs import Preferences, Stages
from spot_optimizer.engine.pipeline import decide
from spot_optimizer.engine.serialization import serialize_decision
from spot_optimizer.engine.tests.builders import (
    HERE,
    THERE,
    a_machine,
    a_market,
    a_prior,
    a_type,
    inputs_of,
)
from spot_optimizer.engine.texts.stages import trace_of
from spot_optimizer.engine.verdicts import ranked_verdicts, rejected_verdicts, verdict_of

MARKET = a_market(
    ("m5.large", HERE, 0.05),
    ("m5.large", THERE, 0.03),
    ("m5.4xlarge", HERE, 0.02),
    ("t3.large", THERE, 0.01),
    types=[
        a_type(),
        a_type("m5.4xlarge", vcpu=16, memory_gib=64.0),
        a_type("t3.large", burstable=True),
    ],
    low=0.01,
    high=0.05,
)


def notes(**parts):
    return {step["stage"]: step["note"] for step in trace_of(decide(inputs_of(MARKET, **parts)))}


class TestDecide:
    def test_runs_the_stages_in_order_and_reports_each_as_it_ends(self):
        reported = []

        decision = decide(inputs_of(MARKET), on_stage=reported.append)

        assert [trace.stage for trace in reported] == [
            "input",
            "hardware",
            "advisor",
            "right_sizing",
            "risk",
            "safety_gate",
            "ranking",
            "signal",
            "output",
        ]
        assert tuple(reported) == decision.traces
        assert serialize_decision(decision) == serialize_decision(decide(inputs_of(MARKET)))

    def test_counts_candidates_in_and_out(self):
        traces = decide(inputs_of(MARKET)).traces

        # 4 spot pools, m5.large and m5.4xlarge on demand here; t3 burstable; m5.4xlarge oversized
        assert [(t.candidates_in, t.candidates_out) for t in traces] == [
            (6, 6),
            (6, 5),
            (5, 5),
            (5, 3),
            (3, 3),
            (3, 3),
            (3, 3),
            (3, 3),
            (3, 3),
        ]

    def test_traces_have_the_names_of_the_api(self):
        trace = trace_of(decide(inputs_of(MARKET)))

        assert trace[1] == {
            "stage": "hardware",
            "status": "done",
            "in": 6,
            "out": 5,
            "note": "Kept 5 of 6: dropped 1 burstable.",
        }

    @pytest.mark.parametrize(
        ("parts", "stage"),
        [
            ({}, "advisor"),
            ({"stages": Stages(pipeline_mode="SINGLE_LINEAR")}, "right_sizing"),
            ({"stages": Stages(enable_right_sizing=False)}, "right_sizing"),
        ],
    )
    def test_a_disabled_stage_rejects_nothing(self, parts, stage):
        traces = {t.stage: t for t in decide(inputs_of(MARKET, **parts)).traces}

        assert traces[stage].status == "disabled"
        assert traces[stage].candidates_in == traces[stage].candidates_out

    def test_an_enabled_stage_has_the_status_done(self):
        traces = decide(inputs_of(MARKET, preferences=Preferences(advisor_filter=True))).traces

        assert {trace.status for trace in traces} == {"done"}


class TestNotes:
    def test_input_note_contains_market_and_machine(self):
        assert "us-east-1 as of 2026-03-01T12:00:00Z: 4 spot pools" in notes()["input"]
        assert "m5.large in use1-az1 (spot)" in notes()["input"]

    def test_a_filter_note_contains_the_limits_in_force(self):
        assert notes()["right_sizing"].endswith("dropped 2 with more than 4 vCPU or 16 GiB.")

    def test_risk_note_contains_the_model_and_its_parameters(self):
        assert notes()["risk"].startswith("advisor-prior@1:0000: Spot Advisor prior")
        assert "0.025, 0.075, 0.125, 0.175, 0.3" in notes()["risk"]

    def test_risk_note_mentions_disabled_family_stress(self):
        assert "Family stress is off" in notes(stages=Stages(enable_family_stress=False))["risk"]

    def test_safety_gate_note_mentions_that_the_current_candidate_is_above_the_gate(self):
        note = notes(preferences=Preferences(safety_gate=0.0))["safety_gate"]

        assert "stays in as the baseline, though more likely" in note

    def test_ranking_note_mentions_bin_packing(self):
        assert "Bin packing is on" in notes(stages=Stages(enable_bin_packing=True))["ranking"]

    def test_an_expected_cost_can_be_recomputed_from_the_ranking_note(self):
        decision = decide(inputs_of(MARKET))
        best = verdict_of(decision, decision.target)

        # an interruption: 1 USD/h · 20 min / 60; a move: 0.05 · 6 / 60 + 1 · 0.5 / 60
        assert "hazard · 0.33333333 USD + 0.013333333 USD / horizon" in notes()["ranking"]
        hazard = -np.log(1 - best.crash_probability)
        by_hand = best.price + hazard * 0.33333333 + 0.013333333 / min(24, 1 / hazard)
        assert best.expected_cost == pytest.approx(by_hand, rel=1e-6)


class TestDecision:
    def test_family_stress_is_used_only_if_enabled(self):
        # m5.large here: the others of m5 have the mean (0.5 + 0.25) / 2 = 0.375,
        # so the hazard is -ln(1 - 0.025) / 730 · 2^(2 · (0.375 - 0.5)) = 0.0000346819 · 0.840896
        on = decide(inputs_of(MARKET)).crash_probability
        off = decide(inputs_of(MARKET, stages=Stages(enable_family_stress=False))).crash_probability

        assert off == pytest.approx(0.0000346813, rel=1e-4)
        assert on / off == pytest.approx(0.840896, rel=1e-4)

    def test_ranks_the_accepted_candidates_by_expected_cost(self):
        ranked = ranked_verdicts(decide(inputs_of(MARKET)))

        assert [(v.zone, v.purchase) for v in ranked] == [
            (THERE, "spot"),
            (HERE, "spot"),
            (HERE, "on_demand"),
        ]
        assert len(ranked_verdicts(decide(inputs_of(MARKET)), 2)) == 2

    def test_lists_the_rejected_candidates_with_their_reasons(self):
        rejected = rejected_verdicts(decide(inputs_of(MARKET)))

        assert [(v.instance_type, v.purchase, v.rejected_because) for v in rejected] == [
            ("m5.4xlarge", "spot", "oversized"),
            ("t3.large", "spot", "burstable"),
            ("m5.4xlarge", "on_demand", "oversized"),
        ]

    def test_the_terms_of_a_verdict_sum_to_its_expected_cost(self):
        verdict = ranked_verdicts(decide(inputs_of(MARKET)), 1)[0]

        assert sum(verdict.terms.values()) == pytest.approx(verdict.expected_cost)
        assert verdict.discount == pytest.approx(0.7)
        assert verdict.score == pytest.approx(0.7 * (1 - verdict.crash_probability))
        assert verdict.spot_price == verdict.price == 0.03
        assert verdict.interruption_band == 0

    def test_a_verdict_on_demand_has_no_spot_price_and_no_band(self):
        verdict = ranked_verdicts(decide(inputs_of(MARKET)))[2]

        assert (verdict.price, verdict.spot_price, verdict.interruption_band) == (0.10, None, None)
        assert verdict.crash_probability == 0.0

    def test_an_index_out_of_range_is_refused(self):
        with pytest.raises(IndexError, match="candidate 6 of 6"):
            verdict_of(decide(inputs_of(MARKET)), 6)

    def test_is_json_with_every_candidate(self):
        body = json.loads(serialize_decision(decide(inputs_of(MARKET))))

        assert body["decision"] == "SWITCH"
        assert {len(column) for column in body["rows"].values()} == {6}
        assert body["counts"]["considered"] == 6

    def test_the_own_type_is_compatible_regardless_of_its_facts(self):
        odd = a_machine(architecture="arm64")

        decision = decide(inputs_of(MARKET, machine=odd))

        assert decision.target is not None
        assert verdict_of(decision, decision.target).instance_type == "m5.large"


def test_a_model_that_returns_too_few_hazards_is_refused():
    class Short:
        def hazard(self, features):
            return np.zeros(1)

        describe, artifact = a_prior().describe, a_prior().artifact

    with pytest.raises(ValueError, match="model"):
        decide(inputs_of(MARKET, model=Short()))
