"""The search page: entities, docs, and what to do when nothing is found."""

import pytest

from catalog.models import DocPage, Entity
from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, read
from tests.catalog.trees import document as document_of

pytestmark = pytest.mark.django_db
SEARCH = "/search/"


def document(name, title, text):
    entity = Entity.objects.get(name=name)
    path = f"{title.lower().replace(' ', '-')}.md"
    return DocPage.objects.create(
        entity=entity, path=path, title=title, text=text, digest="x", location=path
    )


def test_search_shows_entities_of_all_kinds_and_pages_of_docs(viewer, shop):
    document("pay", "Refunds", "How a checkout is **refunded** <b>by hand</b>.")
    text = page(viewer, f"{SEARCH}?q=checkout")
    assert names(text) == ["Checkout", "Refunds"]
    assert "<mark>checkout</mark> is refunded" in text
    assert "<b>by hand" not in text
    assert "/catalog/default/component/pay/docs/refunds.md" in text


def test_search_shows_one_kind_where_it_is_asked_to(viewer, shop):
    text = page(viewer, f"{SEARCH}?q=pay")
    assert names(text) == ["payments", "Pay API", "ledger", "ana"] or "Groups" in text
    assert names(page(viewer, f"{SEARCH}?q=pay&kind=Group")) == ["payments"]
    # A kind that has nothing is no dead end.
    assert "payments" in names(page(viewer, f"{SEARCH}?q=pay&kind=Domain"))


def test_search_offers_similar_names(viewer, tree):
    tree.write("all.yaml", component("payments-api"), component("payroll"), component("seats"))
    read(tree.source("all.yaml"))
    text = page(viewer, f"{SEARCH}?q=paymets-api")
    assert "Did you mean" in text
    assert "<strong>payments-api</strong>" in text
    assert "seats" not in text


def test_search_offers_each_name_once(viewer, tree):
    tree.write(
        "all.yaml", component("payments"), document_of("System", "payments", owner="payments")
    )
    read(tree.source("all.yaml"))
    text = page(viewer, f"{SEARCH}?q=paymets")
    assert text.count("<strong>payments</strong>") == 1
    assert 'href="?q=payments"' in text


def test_search_says_what_to_do_when_nothing_is_found(viewer, shop):
    text = page(viewer, f"{SEARCH}?q=zzzzz")
    assert "Nothing found for “zzzzz”" in text
    assert "Use fewer words" in text
    assert "Did you mean" not in text
    assert "Nothing found" not in page(viewer, SEARCH)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("x" * 201, "Search text can have 200 characters at most."),
        ("a%00b", "Null characters are not allowed."),
        ("%22+OR+*", "Nothing found"),
        ("%3Cscript%3E", "Nothing found for “&lt;script&gt;”"),
        ("%27%29%3B--", "Nothing found"),
        ("AND", "Nothing found"),
    ],
)
def test_search_takes_any_text(viewer, shop, query, sentence):
    assert sentence in page(viewer, f"{SEARCH}?q={query}")


def test_search_asks_the_same_number_of_queries_however_much_is_found(viewer, shop, tree):
    document("pay", "Pay", "How to pay.")
    few = queries(viewer, f"{SEARCH}?q=pay")
    tree.write("catalog-info.yaml", *(component(f"pay-{n}") for n in range(40)))
    read(shop)
    for number in range(15):
        document(f"pay-{number}", f"Page {number}", "How to pay.")
    assert queries(viewer, f"{SEARCH}?q=pay") <= few <= 16


def test_search_is_refused_without_a_role(viewer, shop, settings):
    settings.DEFAULT_ROLE = ""
    assert "pay" not in page(viewer, f"{SEARCH}?q=pay", status=403).lower().split("<main")[1]
