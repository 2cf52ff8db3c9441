"""Small markets with sensible constants; each test names what it is about."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spot_optimizer.engine.hazard.advisor_prior import AdvisorPrior
from spot_optimizer.engine.hazard.logistic import Logistic, Term
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import InstanceType, Machine, Market

NAN = float("nan")
HERE, THERE = "use1-az1", "use1-az2"


def a_type(name: str = "m5.large", **facts: Any) -> InstanceType:
    kind = InstanceType(
        name=name,
        vcpu=2,
        memory_gib=8.0,
        architectures=("x86_64",),
        accelerator=None,
        accelerators=0,
        local_storage_gib=0.0,
        bare_metal=False,
        burstable=False,
        ena="required",
        nvme_required=True,
        virtualization_types=("hvm",),
        boot_modes=("legacy-bios", "uefi"),
        spot_supported=True,
        current_generation=True,
    )
    return kind._replace(**facts)


def a_machine(**facts: Any) -> Machine:
    machine = Machine(
        instance_type="m5.large",
        zone=HERE,
        purchase="spot",
        architecture="x86_64",
        virtualization_type="hvm",
        boot_mode=None,
        ena_support=True,
    )
    return machine._replace(**facts)


def a_market(
    *pools: tuple[str, str, float],
    types: Sequence[InstanceType] | None = None,
    on_demand: dict[str, float] | None = None,
    bands: dict[str, int] | None = None,
    low: float = NAN,
    high: float = NAN,
) -> Market:
    """A market of (type, zone, spot price). Types: 0.10 USD/h on demand, best band."""
    kinds = tuple(types or [a_type(name) for name in dict.fromkeys(p[0] for p in pools)])
    names = [kind.name for kind in kinds]
    zones = tuple(dict.fromkeys(p[1] for p in pools))
    return Market(
        region="us-east-1",
        as_of="2026-03-01T12:00:00Z",
        types=kinds,
        on_demand_price=np.array([(on_demand or {}).get(name, 0.10) for name in names]),
        band=np.array([(bands or {}).get(name, 0) for name in names], dtype=np.int8),
        zones=zones,
        type_index=np.array([names.index(p[0]) for p in pools], dtype=np.intp),
        zone_index=np.array([zones.index(p[1]) for p in pools], dtype=np.intp),
        spot_price=np.array([p[2] for p in pools]),
        low_7d=np.full(len(pools), low),
        high_7d=np.full(len(pools), high),
    )


def a_prior(**parameters: Any) -> AdvisorPrior:
    prior = AdvisorPrior(
        monthly_share=(0.025, 0.075, 0.125, 0.175, 0.30),
        hours_per_month=730.0,
        family_stress_doublings=2.0,
    )
    return replace(prior, **parameters)


def a_logistic(**parameters: Any) -> Logistic:
    """A model with round numbers: an unlisted pool is unknown, any other gap counts 0.25."""
    model = Logistic(
        window_hours=100.0,
        intercept=-1.0,
        bands=(-1.0, -0.5, 0.0, 0.5, 1.0),
        band_unknown=None,
        market=(
            Term(mean=0.5, scale=0.25, weight=0.5, unknown=0.25),
            Term(mean=0.7, scale=0.1, weight=-0.5, unknown=0.25),
            Term(mean=0.5, scale=0.2, weight=0.2, unknown=0.25),
            Term(mean=0.9, scale=0.2, weight=0.2, unknown=0.25),
            Term(mean=0.5, scale=0.1, weight=0.1, unknown=0.25),
        ),
    )
    return replace(model, **parameters)


def inputs_of(market: Market, **parts: Any) -> Inputs:
    inputs = Inputs(
        machine=a_machine(),
        market=market,
        preferences=Preferences(),
        stages=Stages(),
        costs=Costs(),
        signal="NONE",
        model=a_prior(),
        model_ref="advisor-prior@1:0000",
    )
    return replace(inputs, **parts)
