"""Rows by SQL that is written once: to write it anew takes Django longer than the answer does."""

from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model, UUIDField
from django.db.models.sql import Query

M = TypeVar("M", bound=Model)


class Lookup(Generic[M]):
    """
    One row of a model, for what every request asks.

    ``rest`` is what stands behind the model's table: joins and the condition, with a ``%s`` for
    each id.
    """

    def __init__(self, model: type[M], rest: str) -> None:
        self.model, self.rest = model, rest
        self._id = UUIDField()

    def first(self, *ids: UUID) -> M | None:
        """Return the row that these ids pick, None where there is none."""
        keys = [self._id.get_db_prep_value(each, connection) for each in ids]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, keys)
            row = cursor.fetchone()
        return None if row is None else self._made(row)

    def _made(self, row: tuple[object, ...]) -> M:
        compiler = self._compiler()
        [values] = compiler.apply_converters([row], self._converters)
        return self.model.from_db(connection.alias, self._names, values)

    def _compiler(self) -> Any:
        return Query(self.model).get_compiler(connection=connection)

    @cached_property
    def _columns(self) -> list[Any]:
        return [field.cached_col for field in self.model._meta.concrete_fields]

    @cached_property
    def _converters(self) -> Any:
        return self._compiler().get_converters(self._columns)  # there is one kind of database

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self.model._meta.concrete_fields]

    @cached_property
    def _sql(self) -> str:
        table = self.model._meta.db_table
        columns = (f'"{table}"."{column.target.column}"' for column in self._columns)
        return f'SELECT {", ".join(columns)} FROM "{table}" {self.rest} LIMIT 1'  # noqa: S608
