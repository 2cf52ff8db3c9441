"""Whole inputs, drawn by hypothesis: small, with ties, gaps and every setting."""

import numpy as np
from hypothesis import strategies as st

from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import Market
from spot_optimizer.engine.tests.builders import (
    HERE,
    NAN,
    THERE,
    a_logistic,
    a_machine,
    a_prior,
    a_type,
)

ZONES = (HERE, THERE, "use1-az3")
TYPES = (
    a_type("c5.large", memory_gib=4.0),
    a_type("m5.4xlarge", vcpu=16, memory_gib=64.0),
    a_type("m5.large"),
    a_type("m5.xlarge", vcpu=4, memory_gib=16.0),
    a_type("m6g.large", architectures=("arm64",)),
    a_type("r5.large", memory_gib=16.0, spot_supported=False),
    a_type("t3.large", burstable=True),
)
PAIRS = [(i, j) for i in range(len(TYPES)) for j in range(len(ZONES))]
CENTS = st.integers(1, 12).map(lambda n: n / 100)
RANGES = st.none() | st.tuples(CENTS, CENTS).map(sorted)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    pools = draw(st.lists(st.sampled_from(PAIRS), unique=True, max_size=10))
    ranges = [draw(RANGES) or (NAN, NAN) for _ in pools]
    return Market(
        region="us-east-1",
        as_of="2026-03-01T12:00:00Z",
        types=TYPES,
        on_demand_price=np.array([draw(CENTS | st.just(NAN)) for _ in TYPES]),
        band=np.array([draw(st.integers(-1, 4)) for _ in TYPES], dtype=np.int8),
        zones=ZONES,
        type_index=np.array([i for i, _ in pools], dtype=np.intp),
        zone_index=np.array([j for _, j in pools], dtype=np.intp),
        spot_price=np.array([draw(CENTS) for _ in pools]),
        low_7d=np.array([low for low, _ in ranges]),
        high_7d=np.array([high for _, high in ranges]),
    )


PREFERENCES = st.builds(
    Preferences,
    downtime_usd_per_hour=st.sampled_from([0.0, 1.0, 30.0]),
    safety_gate=st.sampled_from([0.0, 0.0002, 0.85, 1.0]),
    advisor_filter=st.booleans(),
    allow_smaller=st.booleans(),
)
STAGES = st.builds(
    Stages,
    pipeline_mode=st.sampled_from(["CLUSTER_FULL", "SINGLE_LINEAR"]),
    enable_right_sizing=st.booleans(),
    enable_family_stress=st.booleans(),
    enable_bin_packing=st.booleans(),
)


MODELS = st.sampled_from([a_prior(), a_logistic()])
# for tests that change one price or pool: all hazards of the logistic depend on all prices
PRIOR = st.just(a_prior())


def inputs(
    stages: st.SearchStrategy[Stages] = STAGES, models: st.SearchStrategy[RiskModel] = MODELS
) -> st.SearchStrategy[Inputs]:
    return st.builds(
        Inputs,
        machine=st.builds(
            a_machine,
            zone=st.sampled_from([*ZONES, "use1-az9"]),
            purchase=st.sampled_from(["spot", "on_demand"]),
        ),
        market=markets(),
        preferences=PREFERENCES,
        stages=stages,
        costs=st.just(Costs()),
        signal=st.sampled_from(["NONE", "REBALANCE", "TERMINATION"]),
        model=models,
        model_ref=st.just("advisor-prior@1:0000"),
    )


CALM = STAGES.map(lambda stages: stages._replace(enable_family_stress=False))
