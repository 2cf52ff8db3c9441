"""Storing on-demand prices: only their changes."""

from collections.abc import Iterable
from datetime import datetime

from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.market.ingest.type_values import TypeKey, store_changes
from spot_optimizer.market.models import OnDemandPrice
from spot_optimizer.market.refresh_log import BEGINNING


def store_on_demand_prices(
    *,
    region: str,
    prices: Iterable[OnDemandPriceRow],
    learned_at: datetime,
    since: datetime = BEGINNING,
) -> None:
    """Store those prices that differ from the newest stored from ``since`` to ``learned_at``."""
    values = {
        TypeKey(row.operating_system, row.instance_type): {"price": round(row.price, 6)}
        for row in prices
    }
    stored = OnDemandPrice.objects.filter(instance_type__in=[key.instance_type for key in values])
    store_changes(stored, region=region, values=values, learned_at=learned_at, since=since)
