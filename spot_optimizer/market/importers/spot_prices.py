"""Importing a history of spot prices from a Parquet file."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from numpy.typing import NDArray

from spot_optimizer.market.change_points import (
    MICROSECOND,
    PriceHistory,
    change_points,
    to_datetime,
)
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.ingest.bulk_insert import insert_prices
from spot_optimizer.market.ingest.spot_prices import PoolKey, Span, extend_coverage, pool_ids
from spot_optimizer.market.region_lock import lock_region

BATCH = 20_000  # rows
# The files repeat each price within this time: a pool without a row for longer has ended.
MAX_REPEAT_INTERVAL = timedelta(hours=60)


class ImportResult(NamedTuple):
    rows: int
    changes: int


class _Rows(NamedTuple):
    """The rows of a file; ``pool`` is an index into ``keys``."""

    keys: list[tuple[str, PoolKey]]  # with the region
    history: PriceHistory


def import_spot_prices(path: Path, *, advance: Advance) -> ImportResult:
    """
    Store the price changes of a file. Importing it again changes nothing.

    A file is the complete history of each pool from its first row to the end of the file. Its
    column ``availability_zone`` is used as the zone id, even if it contains zone names.
    """
    rows = _rows(path, advance)
    regions = np.array([region for region, _ in rows.keys])
    new = 0
    for region in sorted(set(regions.tolist())):
        new += _store(str(region), rows, regions == region)
    return ImportResult(rows.history.rows, new)


def _rows(path: Path, advance: Advance) -> _Rows:
    numbers: dict[tuple[str, PoolKey], int] = {}
    pools, times, prices = [], [], []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            pools.append(_numbered(batch, numbers))
            at = batch.column("timestamp").cast(pa.timestamp("us", "UTC"))
            times.append(at.cast(pa.int64()).to_numpy())
            price = batch.column("price_usd_hour").to_numpy()
            prices.append(np.rint(price * 1_000_000).astype(np.int64))
            advance(batch.num_rows)
    return _Rows(
        list(numbers), PriceHistory(*(np.concatenate(part) for part in (pools, times, prices)))
    )


def _numbered(batch: pa.RecordBatch, numbers: dict[tuple[str, PoolKey], int]) -> NDArray[np.int64]:
    names = ("region", "product_description", "instance_type", "availability_zone")
    columns = [batch.column(name).to_pylist() for name in names]
    keys = ((region, PoolKey(*key)) for region, *key in zip(*columns, strict=True))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _store(region: str, rows: _Rows, in_region: NDArray[np.bool_]) -> int:
    """Store the rows of one region: those of the pools selected by ``in_region``."""
    numbers = np.flatnonzero(in_region)
    history = rows.history.filter(in_region[rows.history.pool])
    with transaction.atomic():
        lock_region(region)
        ids = pool_ids(region, [rows.keys[number][1] for number in numbers])
        id_of = {int(number): ids[rows.keys[number][1]] for number in numbers}
        pool = np.array([id_of[int(number)] for number in history.pool], dtype=np.int64)
        history = history._replace(pool=pool)
        new = insert_prices(change_points(history))
        extend_coverage(_spans(history))
    return new


def _spans(history: PriceHistory) -> Mapping[int, Span]:
    """Return the period in which the prices of each pool are known."""
    max_repeat = MAX_REPEAT_INTERVAL // MICROSECOND
    end = int(history.at.max())
    order = np.lexsort((history.at, history.pool))
    pool, at = history.pool[order], history.at[order]
    first = np.flatnonzero(np.r_[True, pool[1:] != pool[:-1]])
    last = np.r_[first[1:] - 1, len(pool) - 1]
    return {
        int(pool[i]): Span(to_datetime(at[i]), to_datetime(min(end, int(at[j]) + max_repeat)))
        for i, j in zip(first, last, strict=True)
    }
