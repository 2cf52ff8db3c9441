"""Importing on-demand prices from a Parquet file."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices

# The oldest table is also used for the months before it: on-demand prices hardly change.
OLDEST_TABLE = date(2020, 8, 30)
OLDEST_TABLE_SINCE = date(2019, 12, 1)
# Prices inferred from other regions are not imported.
INFERRED = "inferred"


def import_on_demand_prices(path: Path, *, advance: Advance) -> int:
    """Store the changes of the file's prices in US dollars; return how many rows were read."""
    tables: dict[tuple[date, str], list[OnDemandPriceRow]] = {}
    with pq.ParquetFile(path) as file:
        rows: int = file.metadata.num_rows
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                price = _price(row)
                if price is not None:
                    day = price.since.date()
                    tables.setdefault((day, row["region"]), []).append(price)
            advance(batch.num_rows)
    for (_, region), prices in sorted(tables.items(), key=lambda item: item[0]):
        store_on_demand_prices(region=region, prices=prices, learned_at=prices[0].since)
    return rows


def _price(row: dict[str, Any]) -> OnDemandPriceRow | None:
    amount = row.get("price_usd_hour", row.get("price_hour"))
    if row.get("currency", "USD") != "USD" or row.get("quality") == INFERRED or not amount:
        return None
    day = date.fromisoformat(row["price_date"])
    since = OLDEST_TABLE_SINCE if day == OLDEST_TABLE else day
    return OnDemandPriceRow(
        instance_type=row["instance_type"],
        operating_system=row.get("os", "Linux"),
        price=round(Decimal(str(amount)), 6),
        since=datetime.combine(since, time(), UTC),
    )
