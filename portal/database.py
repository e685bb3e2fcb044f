"""Turns DATABASE_URL into Django's database settings."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# IMMEDIATE takes the write lock at BEGIN, so a read-then-write transaction waits for its turn
# instead of failing with "database is locked" half way.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
}

# As many as there are threads that answer (portal/page_gate.py, portal/api_gate.py): one that waits
# for a CI server keeps its connection, and the others must not wait for it.
POOL = {"min_size": 1, "max_size": 28, "timeout": 20}


def database_from_url(url: str) -> dict[str, Any]:
    """`sqlite:///relative`, `sqlite:////absolute` or `postgresql://user:password@host:port/name`.

    A PostgreSQL query string goes to libpq (`?host=/run/postgresql&sslmode=verify-full`).
    Raises ImproperlyConfigured without repeating the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            "OPTIONS": dict(SQLITE_OPTIONS),
        }
    if parts.scheme in {"postgres", "postgresql"}:
        options = dict(parse_qsl(parts.query))
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": options.pop("host", "") or (parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "OPTIONS": {**options, "pool": dict(POOL)},
        }
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://.")


def limit_statements(database: dict[str, Any], seconds: int) -> None:
    """Ends what takes longer in PostgreSQL, also a wait for a lock; before the first connection.

    For processes that answer people, who have gone on by then: a statement that hangs would keep
    one of their few threads. What workers do may take long.
    """
    if seconds > 0 and database["ENGINE"].endswith("postgresql"):
        limit = f"-c statement_timeout={seconds}s"
        database["OPTIONS"]["options"] = f"{database['OPTIONS'].get('options', '')} {limit}".strip()
