"""The history of spot prices, from a file."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from numpy.typing import NDArray

from spot_optimizer.market import ingest
from spot_optimizer.market.bulk_insert import insert_prices
from spot_optimizer.market.history import MICROSECOND, History, change_points, moment
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.ingest import PoolKey, Span

BATCH = 20_000  # rows
# The collectors saw each price again within so long; a pool without a row for longer had ended.
HOLDS = timedelta(hours=60)


class Read(NamedTuple):
    rows: int
    changes: int


class _Rows(NamedTuple):
    """The rows of a file; ``pool`` is an index into ``keys``."""

    keys: list[tuple[str, PoolKey]]  # with the region
    history: History


def import_spot_prices(path: Path, *, advance: Advance) -> Read:
    """
    Store the price changes of a file, once: the second time nothing is new.

    A file is a complete history of its pools from the first row of each to the end of the file.
    What it calls availability zone is taken for a zone id, even if it is some account's name.
    """
    rows = _rows(path, advance)
    regions = np.array([region for region, _ in rows.keys])
    new = 0
    for region in sorted(set(regions.tolist())):
        new += _store(str(region), rows, regions == region)
    return Read(rows.history.rows, new)


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
    return _Rows(list(numbers), History(*(np.concatenate(part) for part in (pools, times, prices))))


def _numbered(batch: pa.RecordBatch, numbers: dict[tuple[str, PoolKey], int]) -> NDArray[np.int64]:
    names = ("region", "product_description", "instance_type", "availability_zone")
    columns = [batch.column(name).to_pylist() for name in names]
    keys = ((region, PoolKey(*key)) for region, *key in zip(*columns, strict=True))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _store(region: str, rows: _Rows, is_here: NDArray[np.bool_]) -> int:
    """Store the rows of one region: those of the pools that are here."""
    numbers = np.flatnonzero(is_here)
    ours = is_here[rows.history.pool]
    history = History(*(column[ours] for column in rows.history))
    with transaction.atomic():
        ingest.take(region)
        ids = ingest.pool_ids(region, [rows.keys[number][1] for number in numbers])
        id_of = {int(number): ids[rows.keys[number][1]] for number in numbers}
        pool = np.array([id_of[int(number)] for number in history.pool], dtype=np.int64)
        history = history._replace(pool=pool)
        new = insert_prices(change_points(history))
        ingest.cover(_spans(history))
    return new


def _spans(history: History) -> Mapping[int, Span]:
    """Return from when to when the price of each pool is known."""
    holds = HOLDS // MICROSECOND
    end = int(history.at.max())
    order = np.lexsort((history.at, history.pool))
    pool, at = history.pool[order], history.at[order]
    first = np.flatnonzero(np.r_[True, pool[1:] != pool[:-1]])
    last = np.r_[first[1:] - 1, len(pool) - 1]
    return {
        int(pool[i]): Span(moment(at[i]), moment(min(end, int(at[j]) + holds)))
        for i, j in zip(first, last, strict=True)
    }
