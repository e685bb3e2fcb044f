"""What the catalog's tests share: a folder that sources may read."""

import pytest
from django.contrib.auth.models import User

from catalog.api.kept import KEPT
from portal.celery import app
from portal.hooks import page_panels
from tests.catalog.trees import Tree, component, document, group, read, user
from tests.catalog.webserver import web_server


@pytest.fixture(autouse=True)
def nothing_kept():
    """A test's transaction is rolled back, and the catalog's version with it."""
    KEPT.clear()


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


@pytest.fixture
def viewer(client):
    """Signed in, with what everybody has."""
    client.force_login(User.objects.create_user("vic"))
    return client


@pytest.fixture
def shop(tree):
    """Two teams, a system, and components that differ in every facet."""
    tree.write(
        "catalog-info.yaml",
        group("payments", profile={"email": "pay@shop.example"}),
        group("web"),
        user("ana", "payments"),
        document("System", "checkout", {"title": "Checkout"}, owner="payments"),
        document("Widget", "gadget"),
        component("pay", {"tags": ["go", "tier-1"], "title": "Pay API"}, system="checkout"),
        component("ledger", {"tags": ["go"]}, lifecycle="deprecated"),
        component("front", {"tags": ["js"]}, type="website", owner="web"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


@pytest.fixture
def panel():
    """Registers a panel as a room above would, for one test."""
    registered = []

    def register(function):
        registered.append(page_panels.register(function))

    yield register
    for function in registered:
        page_panels._functions.remove(function)
