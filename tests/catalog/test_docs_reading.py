"""Which files are documentation, and that what can't be read stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog import version
from catalog.docs import read_docs
from catalog.docs.layout import BadDocs, parse_site, prefix_of
from catalog.docs.reading import TURNS
from catalog.models import DocPage, Entity
from catalog.sources import reader_for
from catalog.sync import spec_of
from tests.catalog.trees import component, problems, read

pytestmark = pytest.mark.django_db
HERE = {"annotations": {"backstage.io/techdocs-ref": "dir:."}}


class Counting:
    """A reader as it is, that counts what is read."""

    def __init__(self, reader):
        self._reader = reader
        self.locations = []

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def read(self, location):
        self.locations.append(location)
        return self._reader.read(location)


def look(source, touched=None, now=None):
    reader = Counting(reader_for(spec_of(source)))
    reader.roots()
    pks = Entity.objects.values_list("pk", flat=True) if touched is None else touched
    read_docs(source, reader, pks, now or timezone.now())
    return reader.locations


def pages(name):
    found = DocPage.objects.filter(entity__name=name)
    return list(found.values_list("path", "title"))


@pytest.fixture
def source(tree):
    tree.write("pay/catalog-info.yaml", component("pay", HERE))
    tree.write("pay/docs/index.md", "# Pay\n")
    tree.write("pay/docs/guide/first.md", "# First steps\n")
    tree.write("pay/docs/about.md", "text")
    tree.write("pay/README.md", "# The readme\n")
    tree.write("pay/docs/logo.png", "no page")
    source = tree.source()
    read(source)
    return source


def test_docs_beside_a_descriptor_are_read_in_order(source):
    look(source)
    assert pages("pay") == [
        ("index.md", "Pay"),
        ("about.md", "about"),
        ("guide/first.md", "First steps"),
        ("README.md", "The readme"),
    ]
    page = DocPage.objects.get(path="guide/first.md")
    assert page.text == "# First steps\n"
    assert page.location == "pay/docs/guide/first.md"


def test_mkdocs_decides_folder_order_and_titles(source, tree):
    tree.write("pay/handbook/a.md", "# A")
    tree.write("pay/handbook/b.md", "# B")
    site = "docs_dir: handbook\nnav:\n  - Second: b.md\n  - Part:\n      - a.md\n      - gone.md\n"
    tree.write("pay/mkdocs.yml", site + "x: !!python/name:materialx.emoji.twemoji\n")
    look(source)
    assert pages("pay") == [("b.md", "Second"), ("a.md", "A")]


def test_a_readme_belongs_to_the_only_component_of_its_descriptor(tree):
    tree.write("one/catalog-info.yaml", component("one"))
    tree.write("one/README.md", "# One")
    tree.write("two/catalog-info.yaml", component("two"), component("three"))
    tree.write("two/README.md", "# Two")
    source = tree.source()
    read(source)
    look(source)
    assert pages("one") == [("README.md", "One")]
    assert pages("two") == pages("three") == []


def test_a_folder_of_many_descriptors_is_read_once(tree):
    named = [component(f"c{number}", HERE) for number in range(30)]
    tree.write("all/catalog-info.yaml", *named)
    tree.write("all/docs/index.md", "# All")
    source = tree.source()
    read(source)
    assert look(source).count("all/docs/index.md") == 1
    assert DocPage.objects.count() == 30


def test_a_page_follows_its_file(source, tree):
    look(source)
    before = DocPage.objects.get(path="about.md").read_at
    tree.write("pay/docs/index.md", "# Payments\n")
    tree.remove("pay/docs/guide/first.md")
    look(source, touched=[])
    assert pages("pay") == [
        ("index.md", "Payments"),
        ("about.md", "about"),
        ("README.md", "The readme"),
    ]
    assert DocPage.objects.get(path="about.md").read_at == before


def test_what_cannot_be_read_keeps_its_pages_and_says_so(source, tree):
    look(source)
    before = pages("pay")
    (tree.folder / "pay/docs/about.md").chmod(0)
    (tree.folder / "pay/docs/about.md").unlink()
    (tree.folder / "pay/docs/about.md").mkdir()
    (tree.folder / "pay/mkdocs.yml").write_text("nav: [", encoding="utf-8")
    look(source, touched=[])
    assert pages("pay") == before
    assert ["mkdocs.yml" in message for message in problems(source)] == [True]
    (tree.folder / "pay/mkdocs.yml").unlink()
    look(source, touched=[])
    assert problems(source) == []


def test_a_page_that_is_too_large_is_left_out_and_named(source, tree):
    tree.write("pay/docs/about.md", "x" * 600_000)
    look(source)
    assert "about.md" not in dict(pages("pay"))
    assert "500,000 bytes" in problems(source)[0]


def test_docs_that_are_taken_away_go(source, tree):
    look(source)
    tree.write("pay/catalog-info.yaml", component("pay", {"annotations": {}}))
    (tree.folder / "pay/README.md").unlink()
    read(source)
    look(source)
    assert pages("pay") == []


def test_a_bad_annotation_is_a_problem_of_its_entity(tree):
    bad = {"annotations": {"backstage.io/techdocs-ref": "dir:../../etc"}}
    tree.write("catalog-info.yaml", component("pay", bad))
    source = tree.source()
    read(source)
    look(source)
    issue = source.issues.get()
    assert issue.entity_ref == "component:default/pay"
    assert issue.stage == "docs"
    assert "at or below the descriptor" in issue.message


def test_who_has_no_docs_is_asked_again_now_and_then(tree):
    tree.write("pay/catalog-info.yaml", component("pay"))
    source = tree.source()
    read(source)
    look(source)
    tree.write("pay/README.md", "# Now")
    start = timezone.now()
    found = 0
    for minute in range(TURNS):
        look(source, touched=[], now=start + timedelta(minutes=minute))
        found += bool(pages("pay"))
    assert found
    assert pages("pay") == [("README.md", "Now")]


def test_text_is_stored_whatever_its_bytes(source, tree):
    (tree.folder / "pay/docs/about.md").write_bytes(b"\xef\xbb\xbf# A\r\nna\xefve \x00\r\n")
    look(source)
    assert DocPage.objects.get(path="about.md").text == "# A\nna\ufffdve \n"


@pytest.mark.parametrize(
    ("written", "prefix"),
    [
        ("dir:.", "./"),
        ("dir:./sub/", "./sub/"),
        ("url:https://h/o/r/tree/main?x#y", "https://h/o/r/tree/main/"),
    ],
)
def test_an_annotation_says_where(written, prefix):
    assert prefix_of(written) == prefix


@pytest.mark.parametrize(
    "written", ["dir:", "dir:/etc", "dir:a/../..", "dir:*", "url:ftp://x", "x"]
)
def test_an_annotation_leads_nowhere_else(written):
    with pytest.raises(BadDocs):
        prefix_of(written)


def test_a_nav_without_end_ends():
    text = b"a: &a [x.md, y.md]\nb: &b [*a, *a]\nc: &c [*b, *b]\nnav: [*c, *c]\n"
    assert [path for path, _ in parse_site(text).nav] == ["x.md", "y.md"]
    for bad in (b"nav: &a [*a]", b"docs_dir: ../..", b"- x", b"a: [", b"x" * 300_000):
        with pytest.raises(BadDocs):
            parse_site(bad)
    assert parse_site(b"").docs_dir == "docs"


def test_what_is_kept_of_the_catalog_is_over_when_docs_go_wrong(source, tree):
    before = version.current()
    look(source)
    assert version.current() == before
    tree.write("pay/mkdocs.yml", "nav: [\n")
    look(source)
    assert Entity.objects.get(name="pay").has_issues
    assert version.current() > before
