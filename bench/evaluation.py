"""
Measures a decision over 50, 500 and 5,000 candidate pools, and its parts.

    python bench/evaluation.py        # in the database of DATABASE_URL; SQLite by default

The market is synthetic, with 28 price changes per pool and week, and is rolled back afterwards. The
baseline reads the same price changes with one SQL statement.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ZONES, CHANGES = 5, 28


def main(sizes: list[int], rounds: int) -> None:
    from django.core.management import call_command
    from django.db import transaction
    from rich.console import Console
    from rich.table import Table

    call_command("migrate", verbosity=0)
    table = Table("pools", "SQL (baseline)", "load", "ratio", "engine", "cold", "warm", "write")
    for size in sizes:
        with transaction.atomic():
            table.add_row(str(size), *_measure(size, rounds))
            transaction.set_rollback(True)
    Console().print(table, "milliseconds, medians")


def _measure(size: int, rounds: int) -> list[str]:
    from lab.decisions.as_of import decide_as_of
    from sandbox.models import pack_pools
    from spot_optimizer.market import arrays
    from spot_optimizer.testing import NOON

    _create_market(size // ZONES)

    def decide() -> dict[str, Any]:
        return decide_as_of(
            instance_type="t0.large",
            zone="use1-az1",
            region="us-east-1",
            purchase="spot",
            at=NOON,
        )

    def median(measured: Callable[[], Any], *, cold: bool) -> float:
        milliseconds = []
        for _ in range(rounds):
            if cold:
                arrays._snapshot.cache_clear()
            began = time.perf_counter()
            measured()
            milliseconds.append((time.perf_counter() - began) * 1000)
        return statistics.median(milliseconds)

    plain, cold = median(_select_prices, cold=True), median(decide, cold=True)
    warm = median(decide, cold=False)
    engine = sum(step["ms"] for step in decide()["trace"])
    pools = [decide()["current"]] * size
    write, load = median(lambda: pack_pools(pools), cold=False), cold - warm
    numbers = [plain, load, load / plain, engine, cold, warm, write]
    return [f"{number:.1f}" for number in numbers]


def _select_prices() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pool_id, at, price FROM market_spotprice")
        cursor.fetchall()


def _create_market(types: int) -> None:
    from spot_optimizer.market.testing import a_market, a_price, a_type

    names = [f"t{number}.large" for number in range(types)]
    prices = [
        a_price(
            str(Decimal("0.03") + Decimal(number * 7 + zone * 3 + change * 5) % 11 / 1000),
            hours=-6.0 * change - 1,
            instance_type=name,
            zone_id=f"use1-az{zone + 1}",
        )
        for number, name in enumerate(names)
        for zone in range(ZONES)
        for change in range(CHANGES)
    ]
    a_market(
        *prices,
        types=tuple(a_type(name) for name in names),
        on_demand=dict.fromkeys(names, "0.096"),
        bands=dict.fromkeys(names, 1),
    )


if __name__ == "__main__":
    import django

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--pools", type=int, nargs="+", default=[50, 500, 5000])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.tests.settings")
    django.setup()
    main(options.pools, options.rounds)
