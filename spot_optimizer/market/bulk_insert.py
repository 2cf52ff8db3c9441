"""Bulk loads of prices: COPY on PostgreSQL, executemany on SQLite."""

from django.db import connection

from spot_optimizer.market.history import History, dollars, moment
from spot_optimizer.market.models import SpotPrice

WORTH_A_COPY = 5_000  # rows; below, a temporary table costs more than it saves

INSERT = f"INSERT INTO {SpotPrice._meta.db_table} (pool_id, at, price) "
IGNORE = " ON CONFLICT (pool_id, at) DO NOTHING"
VALUES = f"{INSERT} VALUES (%s, %s, %s){IGNORE}"
SELECT = f"{INSERT} SELECT pool_id, at, price FROM market_incoming{IGNORE}"  # noqa: S608  # ours


def insert_prices(changes: History) -> int:
    """Insert the prices that are not there yet, and return how many they were."""
    if not changes.rows:
        return 0
    if connection.vendor == "postgresql" and changes.rows >= WORTH_A_COPY:
        return _copy(changes)
    return _insert(changes)


def _insert(changes: History) -> int:
    adapt_time = connection.ops.adapt_datetimefield_value
    adapt_price = connection.ops.adapt_decimalfield_value
    rows = [
        (int(pool), adapt_time(moment(at)), adapt_price(dollars(price), 12, 6))
        for pool, at, price in zip(*changes, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(VALUES, rows)
        stored: int = cursor.rowcount
        return stored


def _copy(changes: History) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE market_incoming "
            "(pool_id bigint, at timestamptz, price numeric) ON COMMIT DROP"
        )
        with cursor.copy("COPY market_incoming (pool_id, at, price) FROM STDIN") as copy:
            for pool, at, price in zip(*changes, strict=True):
                copy.write_row((int(pool), moment(at), dollars(price)))
        cursor.execute(SELECT)
        stored: int = cursor.rowcount
        # The transaction may go on, and copy again.
        cursor.execute("DROP TABLE market_incoming")
        return stored
