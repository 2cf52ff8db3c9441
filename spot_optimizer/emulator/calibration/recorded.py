"""Recorded spot prices, as series."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PoolName = tuple[str, str]  # zone, instance type


class Series(NamedTuple):
    """The rows of one pool: times in seconds since 1970, prices in USD an hour."""

    times: Floats
    prices: Floats


def recorded_series(data: Path) -> dict[PoolName, Series]:
    """Return the Linux pools of us-east-1 from March to May 2021."""
    table = pq.read_table(data / "spot_prices/us_east_1_2021.parquet")
    rows = defaultdict(list)
    for row in table.to_pylist():
        if row["product_description"] == "Linux/UNIX":
            name = (row["availability_zone"], row["instance_type"])
            rows[name].append((row["timestamp"].timestamp(), row["price_usd_hour"]))
    return {name: Series(*np.array(sorted(pool)).T) for name, pool in rows.items()}


def on_demand_then(data: Path) -> dict[str, float]:
    """Return the on-demand prices of us-east-1 in those years, by type. [USD/h]"""
    table = pq.read_table(data / "on_demand/regions_2020_2021_2022.parquet")
    return {
        row["instance_type"]: row["price_usd_hour"]
        for row in table.to_pylist()
        if row["region"] == "us-east-1"
    }


def recorded_bands(data: Path) -> list[int]:
    """Return the number of types in each Advisor band, 0 to 4, in June 2025 in all regions."""
    table = pq.read_table(data / "spot_advisor/advisor_history.parquet")
    bands = [row["band"] for row in table.to_pylist() if row["snapshot_date"] == "2025-06-28"]
    return [bands.count(band) for band in range(5)]
