"""Which files of a folder are tables of ours, and what each is a table of."""

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from spot_optimizer.errors import Invalid, Missing

ADVISOR = ".json.gz"

Advance = Callable[[int], None]  # is told how many rows more were read


class Kind(Enum):
    SPOT_PRICES = "spot prices"
    ON_DEMAND_PRICES = "on-demand prices"
    ADVISOR = "Spot Advisor"
    INSTANCE_TYPES = "instance types"


# A table of one kind has at least these columns; kinds are tried in this order.
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
    Return the table that is the file, or those of a folder and the folders in it.

    In a folder, files of any other kind are passed over.

    :raises Missing: there is no such file or folder, or no table in it
    :raises Invalid: the file is not a table of ours
    """
    if path.is_file():
        return [_table(path)]
    if not path.is_dir():
        raise Missing(f"There is no file or folder {path}. Give the path of the market data.")
    found = list(_tables_in(path))
    if not found:
        raise Missing(f"{path} holds no table of prices, Advisor bands or instance types.")
    order = list(Kind)
    return sorted(found, key=lambda table: (order.index(table.kind), table.path))


def _tables_in(folder: Path) -> Iterator[Table]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet" or path.name.endswith(ADVISOR):
            try:
                yield _table(path)
            except NotOurs:
                continue


class NotOurs(Invalid):
    """A sound file, of something else."""


def _table(path: Path) -> Table:
    if path.name.endswith(ADVISOR):
        return Table(path, Kind.ADVISOR, 1)
    try:
        with pq.ParquetFile(path) as file:
            columns, rows = set(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise Invalid(
            f"{path} cannot be read as a Parquet file. Check that it is whole."
        ) from error
    for kind, needed in COLUMNS.items():
        if needed <= columns:
            return Table(path, kind, rows)
    raise NotOurs(
        f"{path} is no table of prices or instance types: its columns are "
        f"{', '.join(sorted(columns))}."
    )
