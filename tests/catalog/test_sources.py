"""Readers give a file's bytes or a sentence that says why not, and never leave their ground."""

import os

import pytest

from catalog.descriptors import ReadError
from catalog.sources import Gone, SourceFailed, SourceSpec, reader_for
from catalog.sources.base import MAX_FILE_BYTES
from catalog.sources.glob import matches, split_fixed
from tests.catalog.webserver import web_server

FILE = "catalog-info.yaml"


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]


# --- Folders and files -----------------------------------------------------------------------
def test_a_folder_gives_its_catalog_info_files_and_no_others(tree):
    for path in (FILE, "a/catalog-info.yml", ".backstage/catalog-info.yaml"):
        tree.write(path, "x")
    for path in ("other.yaml", "node_modules/p/catalog-info.yaml", ".git/catalog-info.yaml"):
        tree.write(path, "x")
    listing = reader_for(SourceSpec("path", str(tree.folder))).roots()
    assert set(listing.locations) == {FILE, "a/catalog-info.yml", ".backstage/catalog-info.yaml"}
    assert listing.problems == []


def test_a_target_may_be_relative_to_a_folder_that_may_be_read_or_hold_wild_cards(tree):
    tree.write("org/teams.yaml", "x")
    tree.write("org/deep/people.yaml", "x")
    assert reader_for(SourceSpec("path", "org/teams.yaml")).roots().locations == ["org/teams.yaml"]
    found = reader_for(SourceSpec("path", f"{tree.folder}/org/**/*.yaml")).roots().locations
    assert found == ["org/teams.yaml", "org/deep/people.yaml"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("/etc/passwd", "outside the folders that may be read"),
        ("../secret.yaml", "outside the folders that may be read"),
        ("way-out/secret.yaml", "outside the folders that may be read"),
        ("nothing.yaml", "no such file or folder"),
        ("nul\0.yaml", "not a path that can be followed"),
        ("empty", "holds no catalog-info.yaml or catalog-info.yml"),
    ],
)
def test_a_target_that_cant_be_a_source_is_refused_in_words(tree, tmp_path, target, sentence):
    (tmp_path / "secret.yaml").write_text("secret")
    (tree.folder / "way-out").symlink_to(tmp_path)
    (tree.folder / "empty").mkdir()
    with pytest.raises(SourceFailed, match=sentence):
        reader_for(SourceSpec("path", target)).roots()


def test_links_that_go_in_circles_are_survived(tree):
    tree.write(f"a/{FILE}", "x")
    (tree.folder / "a" / "up").symlink_to(tree.folder)
    (tree.folder / "a" / "self").symlink_to(tree.folder / "a" / "self")
    assert reader_for(SourceSpec("path", str(tree.folder))).roots().locations == [f"a/{FILE}"]


def test_links_are_followed_inside_the_source_and_not_out_of_it(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / FILE).write_text("secret")
    tree.write("real/info.yaml", "x")
    (tree.folder / "linked").mkdir()
    (tree.folder / "linked" / FILE).symlink_to(tree.folder / "real" / "info.yaml")
    (tree.folder / "escape").symlink_to(outside)
    assert reader_for(SourceSpec("path", str(tree.folder))).roots().locations == ["real/info.yaml"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("../../etc/passwd", "leads outside org, the tree that this file may name"),
        ("/etc/passwd", "leads outside"),
        ("../beside/secret.yaml", "leads outside"),
        (".git/config", "leads outside"),
        ("out/secret.yaml", "leads outside"),
        ("nul\0.yaml", "not a path"),
        ("https://example.com/x.yaml", "is a URL, and this source reads files"),
    ],
)
def test_a_file_may_not_name_what_lies_outside_its_tree(tree, target, sentence):
    tree.write(f"org/{FILE}", "x")
    tree.write("org/.git/config", "token")
    tree.write("beside/secret.yaml", "x")
    (tree.folder / "org" / "out").symlink_to(tree.folder / "beside")
    with pytest.raises(ReadError, match=sentence):
        reader_for(SourceSpec("path", "org")).targets(f"org/{FILE}", target)


def test_a_checkout_is_the_tree_of_the_files_in_it(tree):
    for repository in ("one", "two"):
        tree.write(f"{repository}/.git/HEAD", "x")
        tree.write(f"{repository}/.backstage/{FILE}", "x")
        tree.write(f"{repository}/docs.md", "x")
    base = f"one/.backstage/{FILE}"
    for target in (base, "."):  # the source is one file of it, or a folder of checkouts
        reader = reader_for(SourceSpec("path", target))
        assert reader.targets(base, "../docs.md") == ["one/docs.md"]
        with pytest.raises(ReadError, match="leads outside one"):
            reader.targets(base, "../../two/docs.md")


def test_wild_cards_in_a_target_are_expanded_in_order(tree):
    for path in ("org/b.yaml", "org/a.yaml", "org/deep/c.yaml", "org/.hidden.yaml", "org/d.txt"):
        tree.write(path, "x")
    tree.write(FILE, "x")
    reader = reader_for(SourceSpec("path", str(tree.folder)))
    assert reader.targets(FILE, "./org/*.yaml") == ["org/a.yaml", "org/b.yaml"]
    assert reader.targets(FILE, "org/**/*.yaml") == ["org/a.yaml", "org/b.yaml", "org/deep/c.yaml"]
    for nothing in ("org/*.json", "nowhere/*.yaml"):
        with pytest.raises(Gone, match="matches no file"):
            reader.targets(FILE, nothing)


def test_what_is_no_readable_file_is_said_in_words(tree):
    tree.write(FILE, "x")
    tree.write("big.yaml", "x" * (MAX_FILE_BYTES + 1))
    os.mkfifo(tree.folder / "pipe.yaml")  # reading it would wait for ever
    (tree.folder / "folder").mkdir()
    reader = reader_for(SourceSpec("path", FILE))
    for path, sentence in {
        "big.yaml": "big.yaml is larger than 5,000,000 bytes.",
        "pipe.yaml": "pipe.yaml is not a file.",
        "folder": "folder is not a file.",
    }.items():
        with pytest.raises(ReadError) as refused:
            reader.read(path)
        assert str(refused.value) == sentence
        assert not isinstance(refused.value, Gone)
    with pytest.raises(Gone, match=r"There is no file gone\.yaml"):
        reader.read("gone.yaml")


def test_a_name_that_no_database_takes_is_a_problem_of_the_folder(tree):
    tree.write(FILE, "x")
    latin1 = os.fsdecode(b"caf\xe9")
    tree.write(f"{latin1}/{FILE}", "x")
    listing = reader_for(SourceSpec("path", str(tree.folder))).roots()
    assert listing.locations == [FILE]
    assert listing.problems == [(f"caf?/{FILE}", "Its name is not valid UTF-8.")]


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("a/b.yaml", "*/b.yaml", True),
        ("a/b/c.yaml", "*/c.yaml", False),
        ("c.yaml", "**/c.yaml", True),
        ("a/b/c.yaml", "**/c.yaml", True),
        ("a/b/c.yaml", "a/**", True),
        (".git/c.yaml", "**/*.yaml", False),
        (".github/c.yaml", ".github/*", True),
        ("a/b.yml", "a/[bc].y?ml", False),
        ("a/b.yaml", "a/[bc].y?ml", True),
        ("/".join("a" * 30) + "/b", "**/" * 12 + "**/c", False),  # no blow-up
    ],
)
def test_patterns_match_as_in_a_shell(path, pattern, fits):
    assert matches(path, pattern) is fits


def test_a_pattern_is_split_at_its_first_wild_card():
    assert split_fixed("a/b*/c") == ("a", "b*/c")
    assert split_fixed("*.yaml") == (".", "*.yaml")
    assert split_fixed("/*.yaml") == ("/", "*.yaml")
    assert split_fixed("a/b.yaml") == ("a/b.yaml", "")


# --- URLs ------------------------------------------------------------------------------------
def test_a_url_is_read_and_its_targets_are_relative_to_it(site):
    root = site.serve("/org/all.yaml", "text")
    reader = reader_for(SourceSpec("url", root))
    assert reader.roots().locations == [root]
    assert reader.read(root) == b"text"
    assert reader.targets(root, "./x.yaml#part") == [f"{site.url}/org/x.yaml"]
    assert reader.targets(root, "/y.yaml") == [f"{site.url}/y.yaml"]


def test_the_credential_goes_to_the_sources_host_as_a_bearer_token(site, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_CATALOG", "s3cret")
    root = site.serve("/all.yaml", "text")
    reader_for(SourceSpec("url", root, "env:STAGEDOOR_CREDENTIAL_CATALOG")).read(root)
    assert site.asked == [("/all.yaml", "Bearer s3cret")]
    with pytest.raises(SourceFailed, match="STAGEDOOR_CREDENTIAL_NONE"):
        reader_for(SourceSpec("url", root, "env:STAGEDOOR_CREDENTIAL_NONE"))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("https://elsewhere.example/x.yaml", "A source reads from one host only"),
        ("//elsewhere.example/x.yaml", "A source reads from one host only"),
        ("file:///etc/passwd", "A source reads from one host only"),
        ("./*.yaml", "wild cards need a folder to search"),
        ("http://[broken", "is not a URL"),
    ],
)
def test_a_target_off_the_host_is_refused(site, target, sentence):
    with pytest.raises(ReadError, match=sentence):
        reader_for(SourceSpec("url", site.url)).targets(site.url + "/all.yaml", target)


@pytest.mark.parametrize(
    ("status", "headers", "text", "sentence"),
    [
        (200, {"content_type": "text/html"}, "kind: x", "answered a web page"),
        (200, {"content_type": "text/plain"}, "\n <!DOCTYPE html><p>", "answered a web page"),
        (301, {"location": "http://elsewhere.example/x"}, "", "redirects to http://elsewhere"),
        (401, {}, "", "refused access .401"),
        (403, {}, "", "refused access .403"),
        (500, {}, "kind: Component", "answered 500 in place of the file"),
        (204, {}, "", "answered 204 in place of the file"),
        (200, {}, "x" * (MAX_FILE_BYTES + 1), "more than 5,000,000 bytes"),
        (200, {"content_length": "1000"}, "short", "broke off its answer"),
    ],
)
def test_an_answer_that_is_no_descriptor_is_said_in_words(site, status, headers, text, sentence):
    url = site.answer("/x.yaml", status, text, **headers)
    with pytest.raises(ReadError, match=sentence) as refused:
        reader_for(SourceSpec("url", url)).read(url)
    assert not isinstance(refused.value, Gone)


def test_an_endless_answer_is_cut_off(site):
    url = site.endless("/x.yaml")
    with pytest.raises(ReadError, match="more than 5,000,000 bytes"):
        reader_for(SourceSpec("url", url)).read(url)


@pytest.mark.parametrize("status", [404, 410])
def test_only_404_and_410_say_that_a_file_is_gone(site, status):
    url = site.answer("/x.yaml", status)
    with pytest.raises(Gone, match=f"it answered {status}"):
        reader_for(SourceSpec("url", url)).read(url)


def test_a_host_that_does_not_answer_is_not_a_file_that_is_gone():
    with web_server() as closed:
        url = closed.url + "/x.yaml"
    with pytest.raises(ReadError) as refused:
        reader_for(SourceSpec("url", url)).read(url)
    assert not isinstance(refused.value, Gone)


def test_a_private_address_is_not_asked(site, settings):
    settings.OUTGOING_ALLOW = []
    url = site.serve("/x.yaml", "text")
    with pytest.raises(ReadError, match="private or reserved"):
        reader_for(SourceSpec("url", url)).read(url)
    assert site.asked == []


@pytest.mark.parametrize("target", ["ftp://host/x", "host/x.yaml", "http://", "http://u:p@host/x"])
def test_only_a_complete_web_address_can_be_a_url_source(target):
    with pytest.raises(SourceFailed, match="not a complete http"):
        reader_for(SourceSpec("url", target))


def test_an_unknown_kind_of_source_is_refused():
    with pytest.raises(SourceFailed, match='kind "ldap"'):
        reader_for(SourceSpec("ldap", "x"))
