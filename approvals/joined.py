"""Rows of a model with those that they point to, by statements that are written out once for a process.

The ORM builds the same SELECT of a hundred and thirty columns anew for each card: it took a sixth of a page. What comes
out of here is what `select_related` gives, instances with their relations read; what it leaves out raises when asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.db import connection, models

ALIAS: Final = "default"
type Pointer = models.ForeignKey[Any, Any]
type Column = models.Field[Any, Any]
type Converter = tuple[int, Callable[..., Any]]  # at which place of a row


@dataclass(frozen=True, slots=True)
class _Part:
    """One table of the statement: its columns lie from `start` to `end` in each row."""

    model: type[models.Model]
    field: Any  # the foreign key that points to it; None for the rows asked for
    names: frozenset[str]
    start: int
    end: int


class Joined[Row: models.Model]:
    """`SELECT … FROM model LEFT JOIN related … WHERE where`; `%(name)s` in `where` is given with each `fetch`."""

    def __init__(self, model: type[Row], *related: str, where: str, only: Sequence[str] = (), others: str = "") -> None:
        """`only`: columns as `only()` names them. `others`: what follows the condition, such as a lock."""
        self._model = model
        self._related = related
        self._only = frozenset(only)
        self._rest = f"WHERE {where} {others}"

    def fetch(self, **given: Any) -> list[Row]:
        """The rows, each with its relations."""
        statement, parts, converters = self._written
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            found = cursor.fetchall()
        return [self._made(list(row), parts, converters) for row in found]

    def first(self, **given: Any) -> Row | None:
        """The one row, if there is one."""
        return next(iter(self.fetch(**given)), None)

    @cached_property
    def _written(self) -> tuple[str, tuple[_Part, ...], tuple[Converter, ...]]:
        quoted = connection.ops.quote_name
        parts: list[_Part] = []
        columns: list[str] = []
        converters: list[Converter] = []
        tables = ""
        for number, (model, field) in enumerate(self._tables()):
            fields = [one for one in model._meta.concrete_fields if self._is_wanted(one, field)]
            parts.append(
                _Part(model, field, frozenset(one.attname for one in fields), len(columns), len(columns) + len(fields))
            )
            for one in fields:
                converters += [(len(columns), convert) for convert in one.get_db_converters(connection)]
                columns.append(f"t{number}.{quoted(one.attname)}")
            table = f"{quoted(model._meta.db_table)} AS t{number}"
            tables += f" LEFT JOIN {table} ON t{number}.id = t0.{quoted(field.attname)}" if field else table
        # Names of our own models' columns, and a condition that is written in our code: nothing of anybody else's.
        statement = f"SELECT {', '.join(columns)} FROM {tables} {self._rest}"  # noqa: S608
        return statement, tuple(parts), tuple(converters)

    def _tables(self) -> Iterator[tuple[type[models.Model], Pointer | None]]:
        yield self._model, None
        for name in self._related:
            field: Any = self._model._meta.get_field(name)
            yield field.related_model, field

    def _is_wanted(self, column: Column, field: Pointer | None) -> bool:
        path = f"{field.name}__{column.name}" if field else column.name
        points = field is None and column.name in self._related
        return not self._only or column.primary_key or points or path in self._only

    def _made(self, row: list[Any], parts: tuple[_Part, ...], converters: tuple[Converter, ...]) -> Row:
        for at, convert in converters:
            row[at] = convert(row[at], None, connection)
        first, *others = (self._instance(row, part) for part in parts)
        for part, other in zip(parts[1:], others, strict=True):
            part.field.set_cached_value(first, other)
        return first  # type: ignore[return-value]  # the first part is of the model asked for

    def _instance(self, row: list[Any], part: _Part) -> models.Model | None:
        values = row[part.start : part.end]
        if part.field is not None and row[part.start] is None:
            return None
        return part.model.from_db(ALIAS, part.names, values, fetch_mode=models.FETCH_RAISE if self._only else None)
