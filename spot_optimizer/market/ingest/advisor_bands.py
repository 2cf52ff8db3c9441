"""Storing the Spot Advisor's interruption bands: only their changes."""

from collections.abc import Iterable
from datetime import datetime

from spot_optimizer.aws.spot_advisor import AdvisorRow
from spot_optimizer.market.ingest.type_values import TypeKey, store_changes
from spot_optimizer.market.models import AdvisorBand
from spot_optimizer.market.refresh_log import BEGINNING


def store_advisor_bands(
    *, region: str, rows: Iterable[AdvisorRow], learned_at: datetime, since: datetime = BEGINNING
) -> None:
    """Store the region's bands that differ from the newest stored ``since`` to ``learned_at``."""
    values = {
        TypeKey(row.operating_system, row.instance_type): {
            "band": row.band,
            "savings_percent": row.savings_percent,
        }
        for row in rows
        if row.region == region
    }
    store_changes(
        AdvisorBand.objects.all(),
        region=region,
        values=values,
        learned_at=learned_at,
        since=since,
    )
