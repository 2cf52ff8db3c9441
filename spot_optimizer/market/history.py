"""Price histories in columns, and what is left of them when repeats are dropped."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MICRO = Decimal(1_000_000)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class History(NamedTuple):
    """Prices of pools: in ``pool``, from ``at`` on, an hour costs ``price``. Whole numbers."""

    pool: NDArray[np.int64]
    at: NDArray[np.int64]  # microseconds since 1970
    price: NDArray[np.int64]  # millionths of a US dollar

    @property
    def rows(self) -> int:
        return len(self.pool)


def history_of(
    pools: Sequence[int], times: Sequence[datetime], prices: Sequence[Decimal]
) -> History:
    return History(
        np.array(pools, dtype=np.int64),
        np.array([micros(time) for time in times], dtype=np.int64),
        np.array([int((price * MICRO).to_integral_value()) for price in prices], dtype=np.int64),
    )


def change_points(history: History) -> History:
    """
    Return the changes of a complete history, by pool and time: the first price of each pool, and
    each that differs from the one before. At every moment the price in force is the same.

    Of two prices at one moment the later one in the history counts.
    """
    order = np.lexsort((history.at, history.pool))
    pool, at, price = (column[order] for column in history)
    last = np.ones(len(pool), dtype=bool)
    last[:-1] = (pool[:-1] != pool[1:]) | (at[:-1] != at[1:])
    pool, at, price = pool[last], at[last], price[last]
    keep = np.ones(len(pool), dtype=bool)
    keep[1:] = (pool[1:] != pool[:-1]) | (price[1:] != price[:-1])
    return History(pool[keep], at[keep], price[keep])


def without_known(changes: History, in_force: dict[int, int]) -> History:
    """Drop the first change of each pool that only says again what is in force before it."""
    first = np.ones(changes.rows, dtype=bool)
    first[1:] = changes.pool[1:] != changes.pool[:-1]
    before = np.array([in_force.get(int(pool), -1) for pool in changes.pool], dtype=np.int64)
    keep = ~(first & (changes.price == before))
    return History(changes.pool[keep], changes.at[keep], changes.price[keep])


def micros(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def moment(micros: int) -> datetime:
    return EPOCH + int(micros) * MICROSECOND


def dollars(price: int) -> Decimal:
    return Decimal(int(price)).scaleb(-6)
