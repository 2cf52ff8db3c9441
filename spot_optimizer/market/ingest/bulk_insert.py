"""Bulk insert of price changes: COPY on PostgreSQL, executemany on SQLite."""

from django.db import connection

from spot_optimizer.market.change_points import PriceHistory, to_datetime, to_dollars
from spot_optimizer.market.models import SpotPrice

MIN_ROWS_FOR_COPY = 5_000  # with fewer rows, the temporary table costs more than COPY saves

INSERT = f"INSERT INTO {SpotPrice._meta.db_table} (pool_id, at, price) "
IGNORE = " ON CONFLICT (pool_id, at) DO NOTHING"
VALUES = f"{INSERT} VALUES (%s, %s, %s){IGNORE}"
SELECT = f"{INSERT} SELECT pool_id, at, price FROM market_incoming{IGNORE}"  # noqa: S608  # ours


def insert_prices(changes: PriceHistory) -> int:
    """Insert those prices that are not stored yet; return their number."""
    if not changes.rows:
        return 0
    if connection.vendor == "postgresql" and changes.rows >= MIN_ROWS_FOR_COPY:
        return _copy(changes)
    return _insert(changes)


def _insert(changes: PriceHistory) -> int:
    adapt_time = connection.ops.adapt_datetimefield_value
    adapt_price = connection.ops.adapt_decimalfield_value
    rows = [
        (int(pool), adapt_time(to_datetime(at)), adapt_price(to_dollars(price), 12, 6))
        for pool, at, price in zip(*changes, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(VALUES, rows)
        inserted: int = cursor.rowcount
        return inserted


def _copy(changes: PriceHistory) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE market_incoming "
            "(pool_id bigint, at timestamptz, price numeric) ON COMMIT DROP"
        )
        with cursor.copy("COPY market_incoming (pool_id, at, price) FROM STDIN") as copy:
            for pool, at, price in zip(*changes, strict=True):
                copy.write_row((int(pool), to_datetime(at), to_dollars(price)))
        cursor.execute(SELECT)
        inserted: int = cursor.rowcount
        # The same transaction may copy again.
        cursor.execute("DROP TABLE market_incoming")
        return inserted
