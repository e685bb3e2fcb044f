"""What a descriptor does not say yet."""

import pytest

from catalog.hints import hints_of
from catalog.models import Entity
from tests.catalog.trees import component, group, read

pytestmark = pytest.mark.django_db


def test_hints_name_what_is_missing_and_nothing_else(tree):
    full = {
        "description": "Pays.",
        "links": [{"url": "https://a.example"}],
        "annotations": {"backstage.io/techdocs-ref": "dir:."},
    }
    tree.write("all.yaml", component("pay", full, system="checkout"), component("bare"), group("t"))
    read(tree.source("all.yaml"))
    hints = {entity.name: hints_of(entity) for entity in Entity.objects.all()}
    assert (hints["pay"], hints["t"]) == ([], [])
    assert [hint.text.split("\n")[1].strip() for hint in hints["bare"]] == [
        "description: Takes payments and hands out receipts.",
        "system: checkout",
        "links:",
        "annotations:",
    ]
