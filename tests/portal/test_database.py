"""The database's settings: a statement that hangs keeps no thread that answers people."""

from copy import deepcopy

import pytest
from django.db import OperationalError, connection
from django.db.utils import ConnectionHandler

from portal.database import database_from_url, limit_statements


@pytest.mark.django_db
def test_a_statement_of_a_page_ends():
    database = deepcopy(connection.settings_dict)
    database["OPTIONS"].pop("pool", None)
    limit_statements(database, 1)
    limited = ConnectionHandler({"default": database})["default"]
    try:
        with limited.cursor() as cursor:
            if limited.vendor == "sqlite":
                cursor.execute("SELECT 1")  # it knows no limit
                return
            with pytest.raises(OperationalError, match="statement timeout"):
                cursor.execute("SELECT pg_sleep(5)")
    finally:
        limited.close()


@pytest.mark.parametrize(
    ("url", "seconds", "options"),
    [
        ("postgresql://db/stagedoor", 30, "-c statement_timeout=30s"),
        (
            "postgresql://db/x?options=-c%20work_mem=8MB",
            5,
            "-c work_mem=8MB -c statement_timeout=5s",
        ),
        ("postgresql://db/stagedoor", 0, None),
        ("sqlite:///x", 30, None),
    ],
)
def test_the_limit_stands_beside_other_options(url, seconds, options):
    database = database_from_url(url)
    limit_statements(database, seconds)
    assert database["OPTIONS"].get("options") == options
