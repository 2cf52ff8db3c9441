"""A decision on stored history: no AWS, no session, nothing written."""

from datetime import datetime
from typing import Any

from lab.decisions.decision import Tell, decide
from lab.models import InstanceConfig
from lab.queries import model_for
from spot_optimizer.aws.products import LINUX
from spot_optimizer.engine.inputs import Costs, Inputs, Preferences, Stages
from spot_optimizer.engine.market import InstanceType, Machine
from spot_optimizer.errors import Missing
from spot_optimizer.market.arrays import engine_instance_type, load_snapshot
from spot_optimizer.market.models import Comparable, InstanceTypeFacts

LOAD_FIRST = "Load the history with manage.py import_prices, and check type, zone and moment."


def decide_as_of(
    *, instance_type: str, zone: str, region: str, purchase: str, at: datetime, tell: Tell
) -> dict[str, Any]:
    """
    Decide for a Linux machine of a type in a zone, on what the market store knew at a moment.

    :raises Missing: the store knows no such type there
    """
    known = InstanceTypeFacts.objects.filter(pk=instance_type).first()
    if known is None:
        raise Missing(f"No facts of {instance_type} are stored. {LOAD_FIRST}")
    machine = _machine(engine_instance_type(known), zone, purchase)
    comparable = Comparable(machine.architecture, known.vcpu)
    market = load_snapshot(region=region, product=LINUX, as_of=at, comparable=comparable)
    if zone not in market.zones:
        known_zones = ", ".join(market.zones)
        raise Missing(f"No prices in {zone} are stored, only in {known_zones}. {LOAD_FIRST}")
    asked = model_for(InstanceConfig())
    inputs = Inputs(
        machine=machine,
        market=market,
        preferences=Preferences(),
        stages=Stages(),
        costs=Costs(),
        signal="NONE",
        model=asked.model.model,
        model_ref=asked.model.ref,
    )
    return decide(inputs, asked=asked, zone_names={}, tell=tell).body


def _machine(facts: InstanceType, zone: str, purchase: str) -> Machine:
    return Machine(
        instance_type=facts.name,
        zone=zone,
        purchase=purchase,
        architecture="x86_64" if "x86_64" in facts.architectures else facts.architectures[0],
        virtualization_type="hvm",
        boot_mode=None,
        ena_support=True,
    )
