"""Refreshing market data: what one evaluation needs, and periodically the regions in use."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.instance_types import instance_types_named
from spot_optimizer.aws.products import NoPrices, Product
from spot_optimizer.aws.zones import zone_ids as fetch_zone_ids
from spot_optimizer.engine.market import InstanceType
from spot_optimizer.errors import AwsRefused
from spot_optimizer.market.arrays import engine_instance_type
from spot_optimizer.market.ingest.instance_types import store_instance_types
from spot_optimizer.market.models import Comparable, InstanceTypeFacts
from spot_optimizer.market.refresh import (
    CompleteUntil,
    RefreshContext,
    backfill_prices,
    fetch_new_prices,
    refresh_advisor_bands,
    refresh_instance_types,
    refresh_on_demand_prices,
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
    Fetch the market data that an evaluation needs; return up to when the prices are complete.

    Within five minutes of the last refresh nothing is fetched, and the result is the same moment.
    Later only new spot prices are fetched; for a new region, everything. ``report`` is called with
    a sentence before each step. Data fetched before an error stays stored.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    :raises NoPrices: the region offers no comparable type as spot
    """
    context = RefreshContext(access, zone_ids, product, deadline, now, report)
    refresh_instance_types(context, comparable)
    refresh_on_demand_prices(context)
    refresh_advisor_bands(context)
    types = InstanceTypeFacts.objects.comparable_to(comparable)
    names = frozenset(types.values_list("name", flat=True))
    backfill_prices(context, context.complete_until(names))
    fetch_new_prices(context, context.complete_until(names))
    until = _earliest(context.complete_until(names))
    if until is None:
        raise NoPrices(f"{context.region} offers no comparable spot capacity. Try another region.")
    return until


def ensure_type(*, access: AwsAccess, name: str, deadline: Deadline, now: datetime) -> InstanceType:
    """
    Return the facts of an instance type; fetch them from AWS if they are not stored.

    :raises AwsRefused: AWS returned an error: ``InvalidInstanceType`` for an unknown name
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    stored = InstanceTypeFacts.objects.filter(pk=name)
    if not stored.exists():
        store_instance_types(instance_types_named(access, [name], deadline=deadline), now=now)
    facts = stored.first()
    if facts is None:
        raise AwsRefused(
            "AWS describes no instance type with this name. Check its name.",
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
    Refresh the watched types of one region, with the first credentials that AWS accepts.

    Return up to when the prices are complete; None if no credentials are accepted, or no type is
    watched. The next candidate is only tried when AWS refused the one before.

    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    for access in candidates:
        try:
            zone_ids = fetch_zone_ids(access, deadline=deadline)
            return _refresh(RefreshContext(access, zone_ids, product, deadline, now, report))
        except AwsRefused as refusal:
            logger.warning("%r cannot refresh the market: %s", access, refusal)
    return None


def _refresh(context: RefreshContext) -> datetime | None:
    refresh_on_demand_prices(context)
    refresh_advisor_bands(context)
    fetch_new_prices(context, context.complete_until(), fresh=timedelta(0))
    return _earliest(
        {
            name: until
            for name, until in context.complete_until().items()
            if until and until >= context.now
        }
    )


def _earliest(complete_until: CompleteUntil) -> datetime | None:
    """Return up to when the prices of all types are complete; None if no type has prices."""
    return min((until for until in complete_until.values() if until is not None), default=None)
