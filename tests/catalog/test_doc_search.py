"""Full text search over pages of docs, on both databases."""

import pytest

from catalog.doc_search import hits, marked
from catalog.models import DocPage, Entity
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def docs(tree):
    tree.write("all.yaml", component("pay"))
    read(tree.source("all.yaml"))
    entity = Entity.objects.get(name="pay")
    pages = {
        "Runbook": "What to do when connections to the ledger are refused.",
        "Ledger": "How books are kept.",
        "Deploying": "Deployed by ana's hand. See [the log](https://x.example/ledgers).",
    }
    for title, text in pages.items():
        DocPage.objects.create(
            entity=entity, path=f"{title}.md", title=title, text=text, digest="x", location="x"
        )


def found(text):
    return [hit.page.title for hit in hits(text, 10, EVERYTHING)]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("ledger", ["Ledger", "Runbook"]),  # and no word of an address
        ("connection", ["Runbook"]),  # another form of the word
        ("REFUSED ledger", ["Runbook"]),
        ("ledger nothing", []),
        ("deplo", ["Deploying"]),  # half typed
        ("ana's", ["Deploying"]),
        ("' \" \\ ) ( & | ! : *", []),
        ("ledger' & !x", []),
        ("NOT", []),
        ("", []),
    ],
)
def test_pages_are_found_by_their_words_and_titles_come_first(docs, text, titles):
    result = found(text)
    assert [title for title in result if title in titles] == titles
    assert set(result) - set(titles) <= {"Deploying"}


def test_a_page_that_changes_is_found_by_what_it_says_now(docs):
    page = DocPage.objects.get(title="Ledger")
    page.title, page.text = "Journal", "How journals are kept."
    page.save()
    assert found("books") == []
    assert found("journal") == ["Journal"]
    page.delete()
    assert found("journal") == []


def test_the_passage_is_escaped_and_marks_the_words(docs):
    DocPage.objects.filter(title="Ledger").update(text="<script>alert(1)</script> of invoices")
    [hit] = hits("invoices", 10, EVERYTHING)
    # PostgreSQL leaves tags out of its passages, SQLite does not.
    assert "<script" not in hit.passage
    assert hit.passage.endswith(" of <mark>invoices</mark>")
    assert hit.url == "/catalog/default/component/pay/docs/Ledger.md"


@pytest.mark.parametrize(
    ("passage", "html"),
    [
        ("> \x02a\x03 b", "<mark>a</mark> b"),
        ("\x02a b", "a b"),
        ("\x02a\x02b\x03", "a<mark>b</mark>"),
        ("## Ways | to `\x02pay\x03`", "Ways to <mark>pay</mark>"),
        ("[\x02x\x03](javascript:y)", "<mark>x</mark>"),
        ("- [ ] write \x02it\x03\n  - [x] done\n1. first", "write <mark>it</mark> done first"),
        ("x] done\n* a - b", "done a - b"),
        ("_so_ card_\x02token\x03 __all__", "so card_<mark>token</mark> all"),
    ],
)
def test_marks_are_always_closed(passage, html):
    assert marked(passage) == html
