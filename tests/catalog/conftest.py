"""What the catalog's tests share: a folder that sources may read."""

import pytest

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
