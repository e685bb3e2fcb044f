"""The indexes that search stands on, made and kept after every migration; both databases.

They lie outside Django's models, so nothing that writes an entity or a page of docs can forget
them: PostgreSQL keeps its own, and on SQLite triggers do. After a migration rather than in one: a
later migration that rebuilds a table on SQLite drops its triggers, and `ensure()` puts them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.health import Check

ENTITY, DOC = "catalog_entity", "catalog_docpage"
# --- SQLite: FTS5 tables over the columns of ours, by rowid
ENTITY_TABLE, DOC_TABLE = "catalog_entity_trigrams", "catalog_docpage_words"
# `detail=none` holds which rows have a trigram and not where: a quarter of the size and work, for
# catalog/search.py looks at the rows that are left anyway.
_TABLES = {
    ENTITY_TABLE: (ENTITY, ("search_text",), "tokenize='trigram', detail='none'"),
    DOC_TABLE: (DOC, ("title", "text"), "tokenize='porter unicode61 remove_diacritics 2'"),
}
# --- PostgreSQL. More than this of a page would be refused as too long for a tsvector.
MAX_DOC = 200_000
DOC_VECTOR = (
    "(setweight(to_tsvector('english', title), 'A') || "
    f"setweight(to_tsvector('english', left(text, {MAX_DOC})), 'B'))"
)
_INDEXES = {
    "entity_terms": f"{ENTITY} USING gin (terms jsonb_path_ops)",
    "docpage_words": f"{DOC} USING gin ({DOC_VECTOR})",
}
_TRIGRAM_INDEX = {"entity_search_trigrams": f"{ENTITY} USING gin (search_text gin_trgm_ops)"}


def ensure_after_migrate(using: str, **_: Any) -> None:
    """For Django's signal `post_migrate`."""
    ensure(connections[using])


def ensure(connection: BaseDatabaseWrapper) -> None:
    """Makes what is missing and fills it; quick where nothing is."""
    tables = set(connection.introspection.table_names())
    if connection.vendor == "sqlite":
        for name, (source, columns, options) in _TABLES.items():
            _ensure_table(connection, name, source if source in tables else "", columns, options)
    elif connection.vendor == "postgresql" and {ENTITY, DOC} <= tables:
        indexes = dict(_INDEXES)
        if _ensure_trigrams(connection):
            indexes |= _TRIGRAM_INDEX
        with connection.cursor() as cursor:
            for name, definition in indexes.items():
                cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {definition}")


@contextmanager
def entities_at_once(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """While thousands of entities are added, in a transaction: their words come in at the end.

    For SQLite's trigger each row is a change of the index of its own, which takes four times as
    long. Whatever fails takes its trigger back with the transaction.
    """
    if connection.vendor != "sqlite":
        yield
        return
    source, columns, _ = _TABLES[ENTITY_TABLE]
    trigger, listed = f"{ENTITY_TABLE}_insert", ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {source}")  # noqa: S608, all are ours
        [last] = cursor.fetchone()
        cursor.execute(f"DROP TRIGGER {trigger}")
        yield
        cursor.execute(
            f"INSERT INTO {ENTITY_TABLE}(rowid, {listed}) "  # noqa: S608
            f"SELECT id, {listed} FROM {source} WHERE id > %s",
            [last],
        )
        cursor.execute(_triggers(ENTITY_TABLE, source, columns)[trigger])


def has_trigrams(connection: BaseDatabaseWrapper) -> bool:
    """Whether words inside words are found by an index."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        return cursor.fetchone() is not None


def health_checks() -> list[Check]:
    """Says so where PostgreSQL lacks what search is quick by; search works all the same."""
    if has_trigrams(connections["default"]):
        return []
    sentence = (
        "PostgreSQL's extension pg_trgm is not installed: the catalog's search works, but reads "
        "every entity. A database superuser runs: CREATE EXTENSION pg_trgm; then migrate again."
    )
    return [Check("search", True, sentence)]


def _ensure_trigrams(connection: BaseDatabaseWrapper) -> bool:
    """Installs pg_trgm where this role may; since PostgreSQL 13 that takes no superuser."""
    if has_trigrams(connection):
        return True
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError:
        return False
    return True


def _ensure_table(
    connection: BaseDatabaseWrapper, name: str, source: str, columns: tuple[str, ...], options: str
) -> None:
    with connection.cursor() as cursor:
        if not source:  # migrated back to before there was such a table
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            return
        triggers = _triggers(name, source, columns)
        cursor.execute("SELECT name FROM sqlite_master WHERE name = %s OR type = 'trigger'", [name])
        if {name, *triggers} <= {row[0] for row in cursor.fetchall()}:
            return
        cursor.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5({', '.join(columns)}, "
            f"content='{source}', content_rowid='id', {options})"
        )
        for trigger, statement in triggers.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            cursor.execute(statement)
        cursor.execute(f"INSERT INTO {name}({name}) VALUES ('rebuild')")  # noqa: S608


def _triggers(name: str, source: str, columns: tuple[str, ...]) -> dict[str, str]:
    """Name -> statement; as FTS5's manual has them for external content."""
    listed = ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    add = f"INSERT INTO {name}(rowid, {listed}) VALUES (new.id, {new});"  # noqa: S608, all are ours
    remove = f"INSERT INTO {name}({name}, rowid, {listed}) VALUES ('delete', old.id, {old});"  # noqa: S608
    differs = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
    start = "CREATE TRIGGER"
    return {
        f"{name}_insert": f"{start} {name}_insert AFTER INSERT ON {source} BEGIN {add} END",
        f"{name}_delete": f"{start} {name}_delete AFTER DELETE ON {source} BEGIN {remove} END",
        f"{name}_update": (
            f"{start} {name}_update AFTER UPDATE OF {listed} ON {source} "
            f"WHEN {differs} BEGIN {remove} {add} END"
        ),
    }
