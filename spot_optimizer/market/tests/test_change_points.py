from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spot_optimizer.market.change_points import (
    PriceHistory,
    change_points,
    drop_known,
    price_history,
    to_datetime,
    to_dollars,
    to_microseconds,
)
from spot_optimizer.testing import NOON

# Few pools, times and prices, so that repeats are common.
ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 12), st.integers(1, 3)),
    max_size=40,
    unique_by=lambda row: row[:2],
)


def a_history(rows):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return PriceHistory(columns[:, 0], columns[:, 1], columns[:, 2])


def in_force(rows, pool, at):
    """The price in force, found by searching all rows."""
    before = [(row[1], row[2]) for row in rows if row[0] == pool and row[1] <= at]
    return max(before)[1] if before else None


def rows_of(history):
    return [tuple(int(x) for x in row) for row in zip(*history, strict=True)]


class TestChangePoints:
    @given(ROWS)
    def test_preserve_the_price_in_force_at_each_moment(self, rows):
        changes = rows_of(change_points(a_history(rows)))

        for pool in (1, 2, 3):
            for at in range(14):
                assert in_force(changes, pool, at) == in_force(rows, pool, at)

    @given(ROWS)
    def test_never_repeat_a_price(self, rows):
        changes = rows_of(change_points(a_history(rows)))

        for before, after in pairwise(changes):
            assert before[0] != after[0] or before[2] != after[2]

    @given(ROWS, st.randoms(use_true_random=False))
    def test_do_not_depend_on_the_order_of_the_rows(self, rows, random):
        shuffled = list(rows)
        random.shuffle(shuffled)

        assert rows_of(change_points(a_history(shuffled))) == rows_of(
            change_points(a_history(rows))
        )

    def test_of_an_empty_history_are_empty(self):
        assert change_points(a_history([])).rows == 0


class TestDropKnown:
    def test_drops_only_a_first_change_that_equals_the_price_in_force(self):
        changes = a_history([(1, 5, 10), (1, 6, 11), (2, 5, 10), (3, 5, 12)])

        left = drop_known(changes, {1: 10, 2: 11})

        assert rows_of(left) == [(1, 6, 11), (2, 5, 10), (3, 5, 12)]


class TestPriceHistory:
    def test_preserves_six_decimal_places(self):
        history = price_history([7], [NOON], [Decimal("0.028700")])

        assert rows_of(history) == [(7, to_microseconds(NOON), 28_700)]
        assert to_dollars(history.price[0]) == Decimal("0.028700")

    @given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
    def test_preserves_microseconds(self, naive):
        at = naive.replace(tzinfo=UTC)

        assert to_datetime(to_microseconds(at)) == at
        assert to_datetime(to_microseconds(at + timedelta(microseconds=1))) > at
