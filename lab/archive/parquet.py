"""
What an experiment log looks like in a Parquet file.

The columns follow from the model, so that a field added to it is archived without a word here.
What Parquet has no exact type for is text, as Django itself writes it; JSON is JSON.
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
NOT_ARCHIVED = {"restored_at"}  # says how long a row stays here, and nothing of the experiment
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
    """Return the columns as Arrow names them."""
    return pa.schema([(field.attname, _type(field) or pa.string()) for field in columns()])


def encoded(log: ExperimentLog) -> Row:
    """Return an experiment log as a row of the file."""
    return {field.attname: _encoded(field, log) for field in columns()}


def decoded(row: Row) -> ExperimentLog:
    """Return a row of a file as an experiment log, unsaved; what the file lacks has its default."""
    fields = [field for field in columns() if field.attname in row]
    return ExperimentLog(**{f.attname: _decoded(f, row[f.attname]) for f in fields})


class Written(NamedTuple):
    """What a file holds: how many rows, and the first and the last of them."""

    rows: int
    first: Row
    last: Row


def write(rows: Iterable[Row], file: IO[bytes], *, most: int) -> Written | None:
    """
    Write rows to a file until about ``most`` bytes of them are in it; None if there are none.

    No more than a group of them is held in memory.
    """
    number, size, first, last = 0, 0, Row(), Row()
    kind = schema()
    with pq.ParquetWriter(file, kind, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=kind))
            first, last = first or group[0], group[-1]
            number += len(group)
            size += sum(map(_size, group))
            if size >= most:
                break
    return Written(number, first, last) if number else None


def read(file: IO[bytes]) -> Iterator[list[Row]]:
    """
    Yield the rows of a file, a group at a time.

    :raises pyarrow.ArrowInvalid: it is no Parquet file
    """
    parquet = pq.ParquetFile(file)
    for number in range(parquet.num_row_groups):
        yield parquet.read_row_group(number).to_pylist()


def count(file: IO[bytes]) -> int:
    """Return how many rows a file says it has. :raises pyarrow.ArrowInvalid: it is no Parquet"""
    number: int = pq.ParquetFile(file).metadata.num_rows
    return number


def unknown_columns(file: IO[bytes]) -> list[str]:
    """Return the file's columns that an experiment log no longer has."""
    known = {field.attname for field in columns()}
    return [name for name in pq.ParquetFile(file).schema_arrow.names if name not in known]


def _stored(field: Column) -> Column:
    return _stored(field.target_field) if isinstance(field, models.ForeignKey) else field


@cache
def _type(field: Column) -> pa.DataType | None:
    stored = _stored(field)
    return next((of for kind, of in TYPES.items() if isinstance(stored, kind)), None)


def _encoded(field: Column, log: ExperimentLog) -> Any:
    value = field.value_from_object(log)
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return bytes(value)
    if isinstance(field, models.JSONField):
        return json.dumps(value, cls=field.encoder)
    return value if _type(field) else field.value_to_string(log)


def _decoded(field: Column, value: Any) -> Any:
    if isinstance(field, models.JSONField) and value is not None:
        return json.loads(value, cls=field.decoder)
    return value if _type(field) else field.to_python(value)


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
