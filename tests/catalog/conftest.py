"""What the catalog's tests share: a folder that sources may read."""

import pytest

from portal.celery import app
from tests.catalog.trees import Tree
from tests.catalog.webserver import web_server


@pytest.fixture
def tree(tmp_path, settings):
    """The only folder below CATALOG_PATHS."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    settings.CATALOG_PATHS = [folder]
    return Tree(folder)


@pytest.fixture
def site():
    with web_server() as server:
        yield server


@pytest.fixture
def at_once():
    """What is sent to a worker is done here and now."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False
