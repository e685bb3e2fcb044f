"""One writer of the catalog at a time: two sources may name one another's entities and teams."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Any number that nothing else in the database uses.
ADVISORY_LOCK = 0x57A6ED00


@contextmanager
def catalog_lock() -> Iterator[None]:
    """A transaction that waits for its turn. On SQLite every transaction does (portal.database)."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        yield
