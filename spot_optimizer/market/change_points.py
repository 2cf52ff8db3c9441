"""Price histories as columns, reduced to their change points: the moments a price changed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MICRO = Decimal(1_000_000)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class PriceHistory(NamedTuple):
    """In ``pool``, from ``at`` on, an hour costs ``price``. Three columns of integers."""

    pool: NDArray[np.int64]
    at: NDArray[np.int64]  # microseconds since 1970
    price: NDArray[np.int64]  # millionths of a US dollar

    @property
    def rows(self) -> int:
        return len(self.pool)

    def filter(self, mask: NDArray[np.bool_]) -> "PriceHistory":
        return PriceHistory(self.pool[mask], self.at[mask], self.price[mask])


def price_history(
    pools: Sequence[int], times: Sequence[datetime], prices: Sequence[Decimal]
) -> PriceHistory:
    return PriceHistory(
        np.array(pools, dtype=np.int64),
        np.array([to_microseconds(time) for time in times], dtype=np.int64),
        np.array([int((price * MICRO).to_integral_value()) for price in prices], dtype=np.int64),
    )


def change_points(history: PriceHistory) -> PriceHistory:
    """
    Return the price changes of a complete history, ordered by pool and time.

    These are the first price of each pool and each price that differs from the one before, so the
    price in force at any moment stays the same. Of two prices at the same moment the later row
    counts.
    """
    order = np.lexsort((history.at, history.pool))
    rows = PriceHistory(history.pool[order], history.at[order], history.price[order])
    is_last = np.ones(rows.rows, dtype=bool)
    is_last[:-1] = (rows.pool[:-1] != rows.pool[1:]) | (rows.at[:-1] != rows.at[1:])
    rows = rows.filter(is_last)
    is_change = np.ones(rows.rows, dtype=bool)
    is_change[1:] = (rows.pool[1:] != rows.pool[:-1]) | (rows.price[1:] != rows.price[:-1])
    return rows.filter(is_change)


def drop_known(changes: PriceHistory, in_force: Mapping[int, int]) -> PriceHistory:
    """Drop the first change of a pool if it equals the price already in force before it."""
    is_first = np.ones(changes.rows, dtype=bool)
    is_first[1:] = changes.pool[1:] != changes.pool[:-1]
    before = np.array([in_force.get(int(pool), -1) for pool in changes.pool], dtype=np.int64)
    return changes.filter(~(is_first & (changes.price == before)))


def to_microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    return EPOCH + int(microseconds) * MICROSECOND


def to_dollars(price: int) -> Decimal:
    return Decimal(int(price)).scaleb(-6)
