"""Finding the files that can be imported, and the kind of data in each."""

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from spot_optimizer.errors import Invalid, Missing

ADVISOR_SUFFIX = ".json.gz"

Advance = Callable[[int], None]  # called with the number of rows read since the last call


class Kind(Enum):
    SPOT_PRICES = "spot prices"
    ON_DEMAND_PRICES = "on-demand prices"
    ADVISOR = "Spot Advisor"
    INSTANCE_TYPES = "instance types"


# The columns that each kind requires. The first kind that fits is used.
COLUMNS = {
    Kind.SPOT_PRICES: {
        "timestamp",
        "region",
        "availability_zone",
        "instance_type",
        "product_description",
        "price_usd_hour",
    },
    Kind.ON_DEMAND_PRICES: {"price_date", "region", "instance_type"},
    Kind.INSTANCE_TYPES: {"instance_type", "vcpu", "memory_mib", "architectures", "hypervisor"},
}


class Table(NamedTuple):
    path: Path
    kind: Kind
    rows: int


def tables_at(path: Path) -> list[Table]:
    """
    Return the file as a table, or the tables of a folder and its subfolders.

    In a folder, files of other kinds are skipped.

    :raises Missing: the path does not exist, or the folder contains no table
    :raises Invalid: the file cannot be imported
    """
    if path.is_file():
        return [_table(path)]
    if not path.is_dir():
        raise Missing(f"There is no file or folder {path}. Pass the path of the market data.")
    found = list(_tables_in(path))
    if not found:
        raise Missing(f"{path} contains no table of prices, Advisor bands or instance types.")
    order = list(Kind)
    return sorted(found, key=lambda table: (order.index(table.kind), table.path))


def _tables_in(folder: Path) -> Iterator[Table]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet" or path.name.endswith(ADVISOR_SUFFIX):
            try:
                yield _table(path)
            except UnknownTable:
                continue


class UnknownTable(Invalid):
    """A valid Parquet file that contains other data."""


def _table(path: Path) -> Table:
    if path.name.endswith(ADVISOR_SUFFIX):
        return Table(path, Kind.ADVISOR, 1)
    try:
        with pq.ParquetFile(path) as file:
            columns, rows = set(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise Invalid(
            f"{path} cannot be read as a Parquet file. Check that it is complete."
        ) from error
    for kind, needed in COLUMNS.items():
        if needed <= columns:
            return Table(path, kind, rows)
    raise UnknownTable(
        f"{path} is not a table of prices or instance types: its columns are "
        f"{', '.join(sorted(columns))}."
    )
