"""Documentation from git and from repository hosts, through whole readings of the source."""

import pytest

from catalog.models import DocPage, Entity, Source
from tests.catalog.gitserver import Repo
from tests.catalog.test_replays import Hosted, hosted
from tests.catalog.trees import component, problems, read

__all__ = ["hosted"]
pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
HERE = {"annotations": {"backstage.io/techdocs-ref": "dir:."}}
DOCS = {"docs/index.md": "# Shop\n", "docs/more.md": "# More\n", "README.md": "# Read me\n"}


def pages() -> dict[str, str]:
    return dict(DocPage.objects.values_list("path", "title"))


def test_docs_of_a_git_repository_follow_its_commits(tree, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    repo = Repo(tree.folder / "shop.git")
    first = repo.commit({FILE: component("shop", HERE), **DOCS})
    source = Source.objects.create(slug="g", name="G", kind="git", target=repo.url)
    read(source)
    assert pages() == {"index.md": "Shop", "more.md": "More", "README.md": "Read me"}
    assert set(DocPage.objects.values_list("commit", flat=True)) == {first}
    before = DocPage.objects.get(path="index.md").read_at
    second = repo.commit({FILE: component("shop", HERE), **DOCS, "docs/more.md": "# Much more\n"})
    read(source)
    assert pages()["more.md"] == "Much more"
    assert set(DocPage.objects.values_list("commit", flat=True)) == {second}
    # What is the same is as old as it was.
    assert DocPage.objects.get(path="index.md").read_at == before
    assert DocPage.objects.get(path="more.md").read_at > before
    repo.commit({FILE: component("shop", HERE)})
    read(source)
    assert pages() == {}
    assert problems(source) == []


def test_docs_of_a_repository_host_cost_nothing_while_nothing_changes(hosted: Hosted):
    repo = hosted.forge.add("acme/shop", {FILE: component("shop", HERE), **DOCS})
    hosted.forge.add("acme/plain", {FILE: component("plain"), "README.md": "# Plain\n"})
    hosted.read()
    assert set(pages()) == {"index.md", "more.md", "README.md"}
    assert DocPage.objects.filter(entity__name="plain").get().title == "Plain"
    page = DocPage.objects.get(path="more.md")
    assert page.url.startswith("http")
    assert page.commit == repo.heads["main"]
    hosted.forge.asked.clear()
    hosted.read()
    assert [path for path in hosted.forge.paths() if ".md" in path or "docs" in path] == []
    hosted.forge.push(repo, {"docs/more.md": "# Much more\n"}, remove=("docs/index.md",))
    hosted.read()
    found = DocPage.objects.filter(entity__name="shop").values_list("path", "title")
    assert dict(found) == {"more.md": "Much more", "README.md": "Read me"}


def test_a_host_that_fails_keeps_the_docs(hosted: Hosted):
    repo = hosted.forge.add("acme/shop", {FILE: component("shop", HERE), **DOCS})
    hosted.read()
    before = pages()
    assert len(before) == 3
    for fault in ("limited_after", "revoked_after"):
        hosted.forge.push(repo, {FILE: component("shop", HERE), "docs/more.md": "# New\n"})
        for left in range(12):
            setattr(hosted.forge, fault, left)
            hosted.read()
            assert set(pages()) == set(before)
        setattr(hosted.forge, fault, None)
        if hasattr(hosted.forge, "remaining"):
            hosted.forge.remaining = 5000
        hosted.read()
        assert pages()["more.md"] == "New"
        assert Entity.objects.get().state == "active"
