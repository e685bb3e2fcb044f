"""The addresses that people copy lead to the raw file, the editor and the repository."""

import pytest

from catalog.sources.web_urls import Repository, parse_file, parse_repository, same_repository

GH = "https://github.com/acme/shop"
GHE = "https://git.corp.example/acme/shop"
BB = "https://bitbucket.org/acme/shop"
DC = "https://git.corp.example/ctx/projects/PAY/repos/shop"
GL = "https://gitlab.com/acme/group/shop"
FILE = "a b/catalog-info.yaml"


@pytest.mark.parametrize(
    ("url", "raw", "edit"),
    [
        (
            f"{GH}/blob/main/a%20b/catalog-info.yaml",
            "https://raw.githubusercontent.com/acme/shop/main/a%20b/catalog-info.yaml",
            f"{GH}/edit/main/a%20b/catalog-info.yaml",
        ),
        (
            f"{GHE}/blob/main/a%20b/catalog-info.yaml",
            "https://git.corp.example/raw/acme/shop/main/a%20b/catalog-info.yaml",
            f"{GHE}/edit/main/a%20b/catalog-info.yaml",
        ),
        (
            f"{BB}/src/main/a%20b/catalog-info.yaml",
            "https://api.bitbucket.org/2.0/repositories/acme/shop/src/main/a%20b/catalog-info.yaml",
            f"{BB}/src/main/a%20b/catalog-info.yaml?mode=edit&at=main",
        ),
        (
            f"{DC}/browse/a%20b/catalog-info.yaml?at=main",
            f"{DC}/raw/a%20b/catalog-info.yaml?at=main",
            f"{DC}/browse/a%20b/catalog-info.yaml?at=main&mode=edit",
        ),
        (
            f"{GL}/-/blob/main/a%20b/catalog-info.yaml",
            f"{GL}/-/raw/main/a%20b/catalog-info.yaml",
            f"{GL}/-/edit/main/a%20b/catalog-info.yaml",
        ),
    ],
)
def test_a_page_leads_to_the_raw_file_and_the_editor_and_back(url, raw, edit):
    address = parse_file(url)
    assert address is not None
    assert address.split() == ("main", FILE)
    repository = address.repository
    assert repository.page("main", FILE) == url
    assert repository.raw("main", FILE) == raw
    assert repository.edit("main", FILE) == edit
    assert repository.edit("0" * 40, FILE) == ""  # nobody edits a commit


@pytest.mark.parametrize(
    ("url", "ref", "path"),
    [
        ("https://raw.githubusercontent.com/acme/shop/main/x.yaml", "main", "x.yaml"),
        ("https://raw.githubusercontent.com/acme/shop/refs/heads/main/x.yaml", "main", "x.yaml"),
        ("https://api.bitbucket.org/2.0/repositories/acme/shop/src/main/x.yaml", "main", "x.yaml"),
        (f"{GH}/tree/main/services", "main", "services"),
        (f"{GH}/tree/main", "main", ""),
        (f"{GH}/blob/main/x.yaml?plain=1#L3", "main", "x.yaml"),
        (f"{DC}/browse/x.yaml?at=refs%2Fheads%2Ffeature%2Fy", "feature/y", "x.yaml"),
        (f"{DC}/browse/x.yaml", "", "x.yaml"),
        ("https://gitlab.com/acme/shop/blob/main/x.yaml", "main", "x.yaml"),
    ],
)
def test_other_ways_to_write_it_are_understood(url, ref, path):
    assert parse_file(url).split() == (ref, path)


def test_a_branch_with_a_slash_is_known_by_its_name_only():
    address = parse_file(f"{GH}/blob/release/1.x/docs/x.yaml")
    assert address.split() == ("release", "1.x/docs/x.yaml")
    assert address.split(["main", "release/1.x", "rel"]) == ("release/1.x", "docs/x.yaml")


@pytest.mark.parametrize(
    ("url", "root", "clone"),
    [
        (GH, GH, f"{GH}.git"),
        (f"{GH}.git/", GH, f"{GH}.git"),
        ("git@github.com:acme/shop.git", GH, f"{GH}.git"),
        ("ssh://git@github.com/acme/shop", GH, f"{GH}.git"),
        (f"{GH}/tree/main", GH, f"{GH}.git"),
        (f"{BB}/", BB, f"{BB}.git"),
        ("git@bitbucket.org:acme/shop.git", BB, f"{BB}.git"),
        (GL, GL, f"{GL}.git"),
        (f"{GL}/-/issues", GL, f"{GL}.git"),
        (DC, DC, "https://git.corp.example/ctx/scm/pay/shop.git"),
        ("https://git.corp.example/ctx/scm/pay/shop.git", DC, None),
        (
            "ssh://git@bitbucket.corp.example:7999/~ana/shop.git",
            "https://bitbucket.corp.example/users/ana/repos/shop",
            "https://bitbucket.corp.example/scm/~ana/shop.git",
        ),
    ],
)
def test_a_repository_is_known_by_its_page_or_its_clone_address(url, root, clone):
    repository = parse_repository(url)
    assert repository.root == root
    assert clone is None or repository.clone == clone


@pytest.mark.parametrize(
    "url",
    [
        "https://git.corp.example/acme/shop",  # which software is it?
        "https://github.com/acme",
        "https://user:pass@github.com/acme/shop",
        "file:///srv/shop",
        "https://[broken",
        "https://host:port/acme/shop/blob/main/x",
        "",
    ],
)
def test_what_is_not_known_is_said_to_be_so(url):
    assert parse_repository(url) is None


def test_a_repository_is_the_same_however_its_address_is_written():
    page = f"{GH}/blob/main/x.yaml"
    raw = "https://raw.githubusercontent.com/Acme/Shop/main/y.yaml"
    assert same_repository(page, raw) is True
    assert same_repository(page, "https://github.com/acme/other/blob/main/x.yaml") is False
    assert same_repository(page, "https://elsewhere.example/x.yaml") is False
    assert same_repository("https://a.example/x.yaml", "https://b.example/y.yaml") is None


def test_a_file_to_be_is_filled_in_where_the_host_can():
    hosts = [parse_repository(url) for url in (GH, GL, BB, DC)]
    pages = [repository.create("main", "catalog-info.yaml", "kind: X\n") for repository in hosts]
    assert pages == [
        f"{GH}/new/main?filename=catalog-info.yaml&value=kind%3A%20X%0A",
        f"{GL}/-/new/main?file_name=catalog-info.yaml&content=kind%3A%20X%0A",
        f"{BB}/create-file/files/main?at=main&filename=catalog-info.yaml",
        "",
    ]
    assert "value" not in hosts[0].create("main", "x.yaml", "y" * 7000)
    assert hosts[0].create("", "x.yaml") == ""
    assert isinstance(hosts[0], Repository)
    assert [repository.name for repository in hosts] == [
        "acme/shop",
        "acme/group/shop",
        "acme/shop",
        "PAY/shop",
    ]


def test_a_token_is_taken_to_where_the_host_takes_it():
    hosts = [parse_repository(url) for url in (GH, GL, DC)]
    hosts.append(parse_file(f"{GHE}/blob/main/x").repository)
    assert [repository.authorised("main", "a/x.yaml") for repository in hosts] == [
        "https://raw.githubusercontent.com/acme/shop/main/a/x.yaml",
        "https://gitlab.com/api/v4/projects/acme%2Fgroup%2Fshop/repository/files/"
        "a%2Fx.yaml/raw?ref=main",
        f"{DC}/raw/a/x.yaml?at=main",
        "https://git.corp.example/api/v3/repos/acme/shop/contents/a/x.yaml?ref=main",
    ]
