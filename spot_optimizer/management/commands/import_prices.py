"""Load the history of prices, Advisor bands and instance types from files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spot_optimizer.errors import DomainError
from spot_optimizer.market.importers.advisor_bands import import_advisor_bands
from spot_optimizer.market.importers.instance_types import import_instance_types
from spot_optimizer.market.importers.on_demand_prices import import_on_demand_prices
from spot_optimizer.market.importers.spot_prices import import_spot_prices
from spot_optimizer.market.importers.tables import Advance, Kind, Table, tables_at


class Command(BaseCommand):
    help = (
        "Load price history from a folder or a file (Parquet tables, Spot Advisor documents as "
        ".json.gz). A second run of the same files changes nothing. Zone names in the files are "
        "taken for zone ids."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a folder such as ../shared/data, or one file")

    def handle(self, *, path: Path, **_: Any) -> None:
        try:
            tables = tables_at(path)
            with _progress() as progress:
                result = [self._import(table, progress) for table in tables]
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("\n".join(result))

    def _import(self, table: Table, progress: Progress) -> str:
        task = progress.add_task(table.path.name, total=table.rows)
        result = _import_table(table, lambda rows: progress.advance(task, rows))
        progress.update(task, completed=table.rows)
        return f"{table.path.name}: {result}"


def _import_table(table: Table, advance: Advance) -> str:
    if table.kind is Kind.SPOT_PRICES:
        read = import_spot_prices(table.path, advance=advance)
        return f"{read.rows:,} spot prices read, {read.changes:,} changes new"
    imports = {
        Kind.ON_DEMAND_PRICES: import_on_demand_prices,
        Kind.ADVISOR: import_advisor_bands,
        Kind.INSTANCE_TYPES: import_instance_types,
    }
    return f"{imports[table.kind](table.path, advance=advance):,} {table.kind.value} read"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
