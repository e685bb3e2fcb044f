"""Many rows at once, as fast as each database takes them: COPY on PostgreSQL, else executemany.

Django builds a statement of placeholders for each few rows; for ten thousand entities that costs
more than reading their files. Values still go through the model's fields.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import connection, models

BATCH = 1_000
PAGES_KB = 64_000
_PLAIN = (str, int, bool, type(None))


def write(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Inserts the rows; where one with the same `unique` columns is there, `update`s it.

    `columns`, `unique` and `update` are names of fields; without `update`, what is there stays.
    The caller holds a transaction.
    """
    fields = {name: model._meta.get_field(name) for name in columns}
    into = f"{_quoted(model._meta.db_table)} ({_names(fields.values())})"
    conflict = _conflict(model, unique, update)
    prepared = _prepared(list(fields.values()), rows)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            marks = ", ".join(["%s"] * len(fields))
            # Only names of our own tables and columns are written into statements.
            insert = f"INSERT INTO {into} VALUES ({marks}){conflict}"  # noqa: S608
            # Django keeps all of what it is given until the last row is written.
            while batch := list(islice(prepared, BATCH)):
                cursor.executemany(insert, batch)
            return
        if not conflict:
            _copy(cursor, into, prepared)
            return
        # COPY knows no conflicts, so the rows stand beside the table first.
        names = _names(fields.values())
        table = _quoted(model._meta.db_table)
        beside = f"CREATE TEMP TABLE arriving AS SELECT {names} FROM {table} WITH NO DATA"  # noqa: S608
        cursor.execute(beside)
        _copy(cursor, f"arriving ({names})", prepared)
        cursor.execute(f"INSERT INTO {into} SELECT {names} FROM arriving{conflict}")  # noqa: S608
        cursor.execute("DROP TABLE arriving")


@contextmanager
def room_for_pages() -> Iterator[None]:
    """While thousands of rows are written: SQLite keeps 2 MB of pages, and reads and writes those
    of every index again and again for each of them."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size")
        [usual] = cursor.fetchone()
        cursor.execute(f"PRAGMA cache_size = -{PAGES_KB}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA cache_size = {usual}")
            cursor.execute("PRAGMA shrink_memory")


def analyze(*tables: type[models.Model]) -> None:
    """Tells the database what a large change has made of these tables.

    SQLite never finds out by itself and then takes the first index that it can; PostgreSQL does in
    a minute, and until then answers as if they were empty, and reads rows where an index would do.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(_quoted(table._meta.db_table) for table in tables)
            # Not within a transaction, says PostgreSQL. To give room back would lock readers out.
            vacuum = "ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE, TRUNCATE FALSE)"
            cursor.execute(f"{vacuum} {names}")
            return
        for table in tables:
            cursor.execute(f"ANALYZE {_quoted(table._meta.db_table)}")


def _copy(cursor: Any, into: str, rows: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _prepared(fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """The values as the database's driver wants them."""
    prepare: list[Callable[[Any], Any]] = [_preparation(field) for field in fields]
    for row in rows:
        yield [make(value) for make, value in zip(prepare, row, strict=True)]


def _preparation(field: Any) -> Callable[[Any], Any]:
    as_json = isinstance(field, models.JSONField)
    last = prepared = None

    def prepare(value: Any) -> Any:
        nonlocal last, prepared
        if type(value) in _PLAIN and not as_json:
            return value  # a text or a number needs nothing done
        if value is not last:  # all rows of a reading share their moment
            last, prepared = value, field.get_db_prep_save(value, connection)
        return prepared

    return prepare


def _conflict(model: type[models.Model], unique: Sequence[str], update: Sequence[str]) -> str:
    if not unique:
        return ""
    meta = model._meta
    target = _names(meta.get_field(name) for name in unique)
    if not update:
        return f" ON CONFLICT ({target}) DO NOTHING"
    columns = [_quoted(meta.get_field(name).column) for name in update]
    return f" ON CONFLICT ({target}) DO UPDATE SET " + ", ".join(
        f"{column} = excluded.{column}" for column in columns
    )


def _names(fields: Iterable[Any]) -> str:
    return ", ".join(_quoted(field.column) for field in fields)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
