"""Keeping the store fresh: for an evaluation, as far as it needs; for the regions in use, ahead."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.instance_types import types_named
from spot_optimizer.aws.products import NoPrices, Product
from spot_optimizer.aws.zones import zone_ids as zones_of
from spot_optimizer.engine.market import InstanceType
from spot_optimizer.errors import AwsRefused
from spot_optimizer.market import ingest
from spot_optimizer.market.arrays import Comparable, engine_instance_type
from spot_optimizer.market.models import InstanceTypeFacts
from spot_optimizer.market.refresh import (
    Errand,
    Reached,
    fetch_advisor,
    fetch_first_prices,
    fetch_news,
    fetch_on_demand,
    fetch_types,
)

logger = logging.getLogger(__name__)


def ensure_market(
    *,
    access: AwsAccess,
    zone_ids: Mapping[str, str],
    product: Product,
    comparable: Comparable,
    deadline: Deadline,
    now: datetime,
    report: Callable[[str], None],
) -> datetime:
    """
    Have all that an evaluation needs of ``access.region``; return up to when prices are complete.

    Within five minutes of the last time nothing is asked of AWS, and the moment is the same one.
    After that, one price history is asked for; in a new region, everything. ``say`` is told what
    is done before it is done. What was fetched before a refusal or time-out stays.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    :raises NoPrices: the region sells no comparable type as spot
    """
    errand = Errand(access, zone_ids, product, deadline, now, report)
    fetch_types(errand, comparable)
    fetch_on_demand(errand)
    fetch_advisor(errand)
    types = InstanceTypeFacts.objects.comparable_to(*comparable)
    names = frozenset(types.values_list("name", flat=True))
    reached = errand.reached(names)
    if fetch_first_prices(errand, reached):
        reached = errand.reached(names)
    if fetch_news(errand, reached):
        reached = errand.reached(names)
    until = _complete_until(reached)
    if until is None:
        raise NoPrices(
            f"{errand.region} sells no spot capacity that is comparable. Try another region."
        )
    return until


def ensure_type(*, access: AwsAccess, name: str, deadline: Deadline, now: datetime) -> InstanceType:
    """
    Return what the instance type is; AWS is asked where that is not known yet.

    :raises AwsRefused: AWS answered with an error: ``InvalidInstanceType`` for an unknown name
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    known = InstanceTypeFacts.objects.filter(pk=name)
    if not known.exists():
        ingest.store_types(types_named(access, [name], deadline=deadline), now=now)
    facts = known.first()
    if facts is None:
        raise AwsRefused(
            "AWS has nothing to tell about this instance type. Check its name.",
            aws_code="InvalidInstanceType",
        )
    return engine_instance_type(facts)


def refresh_region(
    candidates: Iterable[AwsAccess],
    *,
    product: Product,
    deadline: Deadline,
    now: datetime,
    report: Callable[[str], None] = logger.info,
) -> datetime | None:
    """
    Bring what is watched of one region up to ``now``, with the first credentials that work.

    Return up to when its prices are complete then; None if no credentials worked, or nothing is
    watched. The next candidate is taken from the iterable only when the one before was refused.

    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    for access in candidates:
        try:
            zones = zones_of(access, deadline=deadline)
            return _refreshed(Errand(access, zones, product, deadline, now, report))
        except AwsRefused as refusal:
            logger.warning("%r cannot refresh the market: %s", access, refusal)
    return None


def _refreshed(errand: Errand) -> datetime | None:
    fetch_on_demand(errand)
    fetch_advisor(errand)
    fetch_news(errand, errand.reached(), fresh=timedelta(0))
    fresh = {
        name: until for name, until in errand.reached().items() if until and until >= errand.now
    }
    return _complete_until(fresh)


def _complete_until(reached: Reached) -> datetime | None:
    """Return up to when the prices of all of them are complete; None if those of none are."""
    return min((until for until in reached.values() if until is not None), default=None)
