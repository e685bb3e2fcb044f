"""The pages of an entity's documentation."""

import re

import pytest
from django.utils import timezone

from catalog.docs import read_docs
from catalog.models import DocPage, Entity
from catalog.sources import reader_for
from catalog.sync import spec_of
from tests.catalog.pages import page, queries
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
DOCS = "/catalog/default/component/pay/docs/"


def look(source):
    reader = reader_for(spec_of(source))
    reader.roots()
    read_docs(source, reader, Entity.objects.values_list("pk", flat=True), timezone.now())


@pytest.fixture
def source(tree):
    here = {"annotations": {"backstage.io/techdocs-ref": "dir:."}}
    there = {"annotations": {"backstage.io/techdocs-entity": "component:default/pay"}}
    tree.write("pay/catalog-info.yaml", component("pay", here))
    tree.write("web/catalog-info.yaml", component("web", there), component("bare"))
    tree.write("pay/README.md", "# Readme\n[g](docs/guide/first.md)")
    tree.write("pay/docs/index.md", "# Pay\n## Begin\n[g](guide/first.md#set-up) [s](../src/x.py)")
    tree.write(
        "pay/docs/guide/first.md", "# First\n[up](../index.md) [r](../../README.md)\n## Set up"
    )
    source = tree.source()
    read(source)
    look(source)
    return source


def article(text):
    return re.search(r'<article class="prose">(.*?)</article>', text, re.S)[1]


def test_entity_docs_shows_the_first_page_with_the_others_beside_it(viewer, source):
    text = page(viewer, DOCS)
    assert '<h2 id="doc-pay">Pay</h2>' in article(text)
    assert re.findall(
        r'<a href="([^"]+)"(?: aria-current="page")?>(Pay|First|Readme)</a>', text
    ) == [
        (f"{DOCS}index.md", "Pay"),
        (f"{DOCS}guide/first.md", "First"),
        (f"{DOCS}README.md", "Readme"),
    ]
    assert '<a href="#doc-begin">Begin</a>' in page(viewer, DOCS) or "On this page" not in text
    assert "pay/docs/index.md" in text


def test_entity_docs_links_pages_to_each_other(viewer, source):
    links = re.compile(r'href="([^"]*)"')
    assert links.findall(article(page(viewer, DOCS))) == [f"{DOCS}guide/first.md#doc-set-up"]
    assert links.findall(article(page(viewer, f"{DOCS}guide/first.md"))) == [
        f"{DOCS}index.md",
        f"{DOCS}README.md",
    ]
    readme = article(page(viewer, f"{DOCS}README.md"))
    assert links.findall(readme) == [f"{DOCS}guide/first.md"]


def test_entity_docs_leads_other_files_to_the_host(viewer, source):
    host = "https://git.example/acme/pay/blob/main/docs/index.md"
    DocPage.objects.filter(path="index.md").update(url=host, edit_url=f"{host}?edit")
    text = page(viewer, DOCS)
    assert 'href="https://git.example/acme/pay/blob/main/src/x.py"' in text
    assert f'href="{host}?edit"' in text


def test_entity_docs_understands_the_addresses_of_backstage(viewer, source):
    assert viewer.get(f"{DOCS}guide/first/").headers["Location"] == f"{DOCS}guide/first.md"
    assert viewer.get("/catalog/default/component/web/docs/").headers["Location"] == DOCS
    there = viewer.get("/catalog/default/component/web/docs/guide/first.md")
    assert there.headers["Location"] == f"{DOCS}guide/first.md"


def test_entity_docs_of_another_entity_have_a_tab_too(viewer, source):
    assert 'href="/catalog/default/component/web/docs/"' in page(
        viewer, "/catalog/default/component/web/"
    )
    assert "/bare/docs/" not in page(viewer, "/catalog/default/component/bare/")


def test_entity_docs_says_how_to_add_some(viewer, source):
    assert "backstage.io/techdocs-ref" in page(viewer, "/catalog/default/component/bare/docs/")
    assert "has no page" in page(viewer, f"{DOCS}nope.md", status=404)
    page(viewer, "/catalog/default/component/bare/docs/x.md", status=404)
    page(viewer, f"{DOCS}%00", status=404)


def test_entity_docs_asks_the_same_number_of_queries_however_many_pages(viewer, source, tree):
    few = queries(viewer, DOCS)
    for number in range(50):
        tree.write(f"pay/docs/more/{number}.md", f"# Page {number}")
    look(source)
    assert "Page 49" in page(viewer, DOCS)
    assert queries(viewer, DOCS) == few


def test_entity_docs_are_for_those_who_see_the_entity(viewer, source, settings):
    settings.DEFAULT_ROLE = ""
    page(viewer, DOCS, status=404)
