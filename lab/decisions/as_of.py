"""A decision on stored history: reads the database only, writes nothing."""

from datetime import datetime
from typing import Any

from lab.decisions.decision import decide
from lab.decisions.inputs import build_inputs
from lab.models import InstanceConfig
from lab.registry.selection import model_for
from spot_optimizer.aws.products import LINUX
from spot_optimizer.engine.market import InstanceType, Machine
from spot_optimizer.errors import Missing
from spot_optimizer.market.arrays import engine_instance_type, load_snapshot
from spot_optimizer.market.models import Comparable, InstanceTypeFacts

LOAD_FIRST = "Load the history with manage.py import_prices, and check type, zone and time."


def decide_as_of(
    *, instance_type: str, zone: str, region: str, purchase: str, at: datetime
) -> dict[str, Any]:
    """
    Return the decision for a Linux machine on the market data stored for a past time.

    It uses the default config, preferences and costs, and no signal from AWS.

    :raises Missing: no facts of the type or no prices in the zone are stored
    :raises NoPrices: the price of the machine itself, or of any comparable pool, is unknown
    :raises ModelUnusable: no model can be used
    """
    facts = InstanceTypeFacts.objects.filter(pk=instance_type).first()
    if facts is None:
        raise Missing(f"No facts of {instance_type} are stored. {LOAD_FIRST}")
    machine = _machine(engine_instance_type(facts), zone, purchase)
    comparable = Comparable(machine.architecture, facts.vcpu)
    market = load_snapshot(region=region, product=LINUX, as_of=at, comparable=comparable)
    if zone not in market.zones:
        known_zones = ", ".join(market.zones)
        raise Missing(f"No prices in {zone} are stored, only in {known_zones}. {LOAD_FIRST}")
    config = InstanceConfig()
    model_choice = model_for(config)
    inputs = build_inputs(
        machine=machine,
        market=market,
        config=config,
        preferences={},
        signal="NONE",
        model=model_choice.model,
    )
    return decide(inputs, model_choice=model_choice, zone_names={}).body


def _machine(kind: InstanceType, zone: str, purchase: str) -> Machine:
    return Machine(
        instance_type=kind.name,
        zone=zone,
        purchase=purchase,
        architecture="x86_64" if "x86_64" in kind.architectures else kind.architectures[0],
        virtualization_type="hvm",
        boot_mode=None,
        ena_support=True,
    )
