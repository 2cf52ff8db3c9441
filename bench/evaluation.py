"""
What a decision takes over 50, 500 and 5,000 candidate pools, and where the time goes.

    python bench/evaluation.py        # on the database that DATABASE_URL names; SQLite otherwise

The market is made up, 28 price changes a pool and week; all of it happens in one transaction that
is rolled back. The baseline is to read the same price changes by one plain SQL statement.
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
            table.add_row(str(size), *_measured(size, rounds))
            transaction.set_rollback(True)
    Console().print(table, "milliseconds, medians")


def _measured(size: int, rounds: int) -> list[str]:
    from lab.decisions.as_of import decide_as_of
    from sandbox.models import pack_pools
    from spot_optimizer.market import arrays
    from spot_optimizer.testing import NOON

    _fill(size // ZONES)

    def decided() -> dict[str, Any]:
        return decide_as_of(
            instance_type="t0.large",
            zone="use1-az1",
            region="us-east-1",
            purchase="spot",
            at=NOON,
            tell=lambda step: None,
        )

    def median(ask: Callable[[], Any], *, cold: bool) -> float:
        laps = []
        for _ in range(rounds):
            if cold:
                arrays._snapshot.cache_clear()
            began = time.perf_counter()
            ask()
            laps.append((time.perf_counter() - began) * 1000)
        return statistics.median(laps)

    plain, cold = median(_plain, cold=True), median(decided, cold=True)
    warm = median(decided, cold=False)
    engine = sum(step["ms"] for step in decided()["trace"])
    pools = [decided()["current"]] * size
    write, load = median(lambda: pack_pools(pools), cold=False), cold - warm
    figures = [plain, load, load / plain, engine, cold, warm, write]
    return [f"{figure:.1f}" for figure in figures]


def _plain() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pool_id, at, price FROM market_spotprice")
        cursor.fetchall()


def _fill(types: int) -> None:
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
