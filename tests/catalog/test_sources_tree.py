"""What lies in a commit is found, and nothing outside the repository is ever named."""

import pytest

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, Gone
from catalog.sources.tree import LINK, SUBMODULE, Entry, Here, Tree, descriptor_paths, file_text
from catalog.sources.web_urls import parse_repository

FILE = "catalog-info.yaml"
GH = "https://github.com/acme/shop"


def tree_of(*paths, links=(), submodules=(), where=None):
    entries = [Entry(path, id=path, mode="100644") for path in paths]
    entries += [Entry(path, id=aim, mode=LINK) for path, aim in dict(links).items()]
    entries += [Entry(path, mode=SUBMODULE) for path in submodules]
    return Tree(entries, read_link=lambda entry: entry.id.encode(), where=where)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [FILE]),
        ({"path": ["a/catalog-info.yaml"]}, ["a/catalog-info.yml"]),
        ({"path": "/**/catalog-info.yaml"}, [FILE, "a/catalog-info.yml", "b/c/catalog-info.yaml"]),
        ({"path": ["org/*.yaml", FILE]}, ["org/one.yaml", "org/two.yaml", FILE]),
        ({"path": " \n"}, [FILE]),
    ],
)
def test_descriptors_are_found_by_the_option(options, found):
    tree = tree_of(
        FILE,
        "a/catalog-info.yml",
        "b/c/catalog-info.yaml",
        "node_modules/p/catalog-info.yaml",
        "org/one.yaml",
        "org/two.yaml",
        "org/three.txt",
    )
    listing = tree.roots(descriptor_paths(options))
    assert sorted(listing.locations) == sorted(found)
    assert listing.problems == []


def test_a_repository_without_a_descriptor_is_said_in_words():
    with pytest.raises(Gone, match=r"holds no catalog-info.yaml or catalog-info.yml\."):
        tree_of("README.md").roots(descriptor_paths({}))


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        ("./y.yaml", ["org/y.yaml"]),
        ("../z.yaml", ["z.yaml"]),
        ("/z.yaml", ["z.yaml"]),
        ("*.yaml", ["org/x.yaml", "org/y.yaml"]),
        ("../**/*.yaml", ["org/x.yaml", "org/y.yaml", "z.yaml"]),
        ("nope.yaml", ["org/nope.yaml"]),  # reading it says that it isn't there
        (f"{GH}/blob/main/z.yaml", ["z.yaml"]),
        (f"{GH}/blob/release/1/z.yaml", ["z.yaml"]),
        (f"{GH}/tree/main/org/*.yaml", ["org/x.yaml", "org/y.yaml"]),
    ],
)
def test_targets_are_relative_to_the_file_or_urls_of_the_same_repository(target, paths):
    where = Here(parse_repository(GH), ("main", "release/1", "HEAD"))
    tree = tree_of("org/x.yaml", "org/y.yaml", "z.yaml", where=where)
    assert tree.targets("org/x.yaml", target) == paths


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("../../etc/passwd", "leads outside the repository"),
        ("./../../x", "leads outside the repository"),
        ("../*/../../x*", "leads outside the repository"),
        ("x\0.yaml", "U\\+0000"),
        ("file:///etc/passwd", "is not in this repository"),
        ("https://github.com/acme/other/blob/main/x.yaml", "is not in this repository"),
        (f"{GH}/blob/other/x.yaml", 'is on "other", and this source reads "main"'),
        ("out.yaml", "leads outside the repository"),
        ("up/etc/passwd", "leads outside the repository"),
        ("loop.yaml", "leads in circles"),
        ("modules/sdk/x.yaml", "is a submodule"),
        ("modules/sdk", "is a submodule"),
        ("folder", "is a folder"),
    ],
)
def test_what_is_not_a_file_of_the_repository_is_refused(target, sentence):
    links = {
        "out.yaml": "../secret",
        "up": "../..",
        "loop.yaml": "loop2.yaml",
        "loop2.yaml": "loop.yaml",
    }
    where = Here(parse_repository(GH), ("main",))
    tree = tree_of(FILE, "folder/x.yaml", links=links, submodules=["modules/sdk"], where=where)
    with pytest.raises(ReadError, match=sentence) as refused:
        [tree.entry(path) for path in tree.targets(FILE, target)]
    assert not isinstance(refused.value, Gone)


def test_links_are_followed_inside_the_repository():
    links = {"docs/link.yaml": "../real/x.yaml", "folder": "real", "absolute.yaml": "/etc/passwd"}
    tree = tree_of("real/x.yaml", links=links)
    assert tree.targets(FILE, "docs/link.yaml") == ["real/x.yaml"]
    assert tree.entry("folder/x.yaml").path == "real/x.yaml"
    # A wild card takes the files that there are, each once.
    assert tree.roots(["**/*.yaml"]).locations == ["real/x.yaml"]
    with pytest.raises(ReadError, match="leads outside"):
        tree.entry("absolute.yaml")


def test_what_a_wild_card_meets_beside_files_is_passed_over():
    tree = tree_of("a.yaml", links={"b.yaml": "../out"}, submodules=["c.yaml"])
    assert tree.targets("x", "*.yaml") == ["a.yaml"]
    with pytest.raises(Gone, match="matches no file"):
        tree.targets("x", "*.json")


def test_contents_that_are_not_the_file_are_refused():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 12\n"
    with pytest.raises(ReadError, match="is a Git LFS pointer, not the file"):
        file_text(FILE, pointer)
    with pytest.raises(ReadError, match="larger than 5,000,000 bytes"):
        file_text(FILE, b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ReadError, match="larger than"):
        Tree([Entry(FILE, size=MAX_FILE_BYTES + 1)]).entry(FILE)
    assert file_text(FILE, b"kind: X\r\n") == b"kind: X\r\n"


def test_a_name_that_is_not_utf8_is_a_problem_of_the_repository():
    listing = tree_of(FILE, "caf\udce9/catalog-info.yaml").roots(["**/catalog-info.yaml"])
    assert listing.locations == [FILE]
    assert listing.problems == [("caf?/catalog-info.yaml", "Its name is not valid UTF-8.")]
