"""Text search: every word, any case, the name first."""

import pytest

from catalog.models import Entity
from catalog.search import best_first, matching, similar
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog(tree):
    tree.write(
        "all.yaml",
        component("pay-worker", {"description": "Sends receipts"}),
        component("pay", {"tags": ["go"]}),
        component("repay", {"title": "Überweisung"}),
        component("ledger", {"description": "Books what pay took, 100% of it"}),
        component("my_cart"),
        component("mycart"),
    )
    read(tree.source("all.yaml"))


def found(text):
    return list(
        best_first(matching(Entity.objects.all(), text), text).values_list("name", flat=True)
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pay", ["pay", "pay-worker", "repay", "ledger"]),
        ("receipts PAY", ["pay-worker"]),
        ("go pay", ["pay"]),
        ("ÜBERWEISUNG", ["repay"]),
        ("100%", ["ledger"]),
        ("%", ["ledger"]),
        ("my_cart", ["my_cart"]),
        ("pay nothing", []),
    ],
)
def test_search_finds_every_word_and_puts_the_name_first(catalog, text, names):
    assert found(text) == names


def test_no_text_finds_all_by_name(catalog):
    assert found("  ") == ["ledger", "my_cart", "mycart", "pay", "pay-worker", "repay"]


def test_only_so_many_words_are_asked_for(catalog):
    assert found("pay " * 8 + "nothing") == found("pay")


def test_short_words_are_found_too(catalog):
    assert found("go") == ["pay"]
    assert found("pa y-") == ["pay-worker"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("legder", ["ledger"]),
        ("pay worker", ["pay-worker"]),
        ("paywroker", ["pay-worker"]),
        ("zebra", []),
        ("go", []),
        ('"""', []),
        ("z\U0010ffffz", []),
        ("z\ud7ffz", []),
    ],
)
def test_similar_names_are_those_with_most_letters_in_common(catalog, text, names):
    assert [entity.name for entity in similar(text, EVERYTHING)][: len(names) or None] == names
