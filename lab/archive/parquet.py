"""
Reads and writes experiment logs as Parquet.

The columns are derived from the model, so a new field is archived without a change here. A field
without an exact Parquet type is stored as Django serializes it to text; JSON stays JSON.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from django.db import models

from lab.models import ExperimentLog

Row = dict[str, Any]
Column = models.Field

GROUP_ROWS = 500
GROUP_BYTES = 4 * 1024 * 1024
NOT_ARCHIVED = {"restored_at"}  # bookkeeping of the archive, not part of the experiment
TYPES = {
    models.BinaryField: pa.binary(),
    models.BooleanField: pa.bool_(),
    models.DateTimeField: pa.timestamp("us", tz="UTC"),
    models.FloatField: pa.float64(),
    models.IntegerField: pa.int64(),
}


@cache
def columns() -> tuple[Column, ...]:
    """Return the fields that are archived."""
    return tuple(
        field
        for field in ExperimentLog._meta.concrete_fields
        if field.name not in NOT_ARCHIVED and not field.generated
    )


def schema() -> pa.Schema:
    """Return the Arrow schema of a file."""
    return pa.schema([(field.attname, _arrow_type(field) or pa.string()) for field in columns()])


def row_of(log: ExperimentLog) -> Row:
    """Return an experiment log as a row of a file."""
    return {field.attname: _to_parquet(field, log) for field in columns()}


def experiment_of(row: Row) -> ExperimentLog:
    """Return a row as an unsaved experiment log; columns missing in the file get their default."""
    fields = [field for field in columns() if field.attname in row]
    return ExperimentLog(**{f.attname: _from_parquet(f, row[f.attname]) for f in fields})


class WrittenFile(NamedTuple):
    """The number of rows in a file, its first row and its last row."""

    rows: int
    first: Row
    last: Row


def write(rows: Iterable[Row], file: IO[bytes], *, max_bytes: int) -> WrittenFile | None:
    """
    Write rows to a file until it holds about ``max_bytes`` before compression; None if no rows.

    At most one row group is held in memory.
    """
    number, size, first, last = 0, 0, Row(), Row()
    arrow_schema = schema()
    with pq.ParquetWriter(file, arrow_schema, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=arrow_schema))
            first, last = first or group[0], group[-1]
            number += len(group)
            size += sum(map(_size, group))
            if size >= max_bytes:
                break
    return WrittenFile(number, first, last) if number else None


def read(file: IO[bytes]) -> Iterator[list[Row]]:
    """
    Yield the rows of a file, one row group at a time.

    :raises pyarrow.ArrowInvalid: it is not a Parquet file
    """
    parquet = pq.ParquetFile(file)
    for number in range(parquet.num_row_groups):
        # Arrow's threads may abort or hang the process at its exit if they read from a Python file
        # object (apache/arrow issue 50482).
        yield parquet.read_row_group(number, use_threads=False).to_pylist()


def row_count(file: IO[bytes]) -> int:
    """
    Return the number of rows in a file's metadata.

    :raises pyarrow.ArrowInvalid: it is not a Parquet file
    """
    number: int = pq.ParquetFile(file).metadata.num_rows
    return number


def unknown_columns(file: IO[bytes]) -> list[str]:
    """Return the file's columns that an experiment log no longer has."""
    known = {field.attname for field in columns()}
    return [name for name in pq.ParquetFile(file).schema_arrow.names if name not in known]


def _stored(field: Column) -> Column:
    """Return the field that defines the column's type: for a foreign key, its target."""
    return _stored(field.target_field) if isinstance(field, models.ForeignKey) else field


@cache
def _arrow_type(field: Column) -> pa.DataType | None:
    stored = _stored(field)
    return next((arrow for kind, arrow in TYPES.items() if isinstance(stored, kind)), None)


def _to_parquet(field: Column, log: ExperimentLog) -> Any:
    value = field.value_from_object(log)
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return bytes(value)
    if isinstance(field, models.JSONField):
        return json.dumps(value, cls=field.encoder)
    return value if _arrow_type(field) else field.value_to_string(log)


def _from_parquet(field: Column, value: Any) -> Any:
    if isinstance(field, models.JSONField) and value is not None:
        return json.loads(value, cls=field.decoder)
    return value if _arrow_type(field) else field.to_python(value)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += _size(row)
        if len(group) == GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _size(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str | bytes))
