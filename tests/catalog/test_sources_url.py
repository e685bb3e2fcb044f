"""The address of a file's page is enough: the raw file is read, and its neighbours are found."""

import pytest

from catalog.descriptors import ReadError
from catalog.sources import SourceSpec, reader_for

GH = "https://github.com/acme/shop"


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]


def reader(target, credential=""):
    return reader_for(SourceSpec("url", target, credential))


def test_the_page_of_a_file_is_read_as_the_file(site):
    """As an own GitHub Enterprise and an own Bitbucket Data Center have their addresses."""
    site.serve("/raw/acme/shop/main/org/all.yaml", "enterprise")
    page = f"{site.url}/acme/shop/blob/main/org/all.yaml"
    opened = reader(f"{page}?plain=1#L3")
    assert opened.roots().locations == [page]
    assert opened.read(page) == b"enterprise"
    place = opened.place(page)
    assert (place.url, place.edit_url) == (page, f"{site.url}/acme/shop/edit/main/org/all.yaml")
    site.serve("/projects/PAY/repos/shop/raw/org/all.yaml?at=feature%2Fx", "data center")
    page = f"{site.url}/projects/PAY/repos/shop/browse/org/all.yaml?at=refs%2Fheads%2Ffeature%2Fx"
    opened = reader(page)
    assert [opened.read(location) for location in opened.roots().locations] == [b"data center"]


def test_a_token_is_sent_to_the_hosts_own_api(site, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_URL", "s3cret")
    site.serve("/api/v3/repos/acme/shop/contents/all.yaml?ref=main", "text")
    opened = reader(f"{site.url}/acme/shop/blob/main/all.yaml", "env:STAGEDOOR_CREDENTIAL_URL")
    assert opened.read(opened.roots().locations[0]) == b"text"
    assert [authorization for _, authorization in site.asked] == ["Bearer s3cret"]


@pytest.mark.parametrize(
    ("base", "target", "location"),
    [
        (f"{GH}/blob/main/org/all.yaml", "./x.yaml", f"{GH}/blob/main/org/x.yaml"),
        (f"{GH}/blob/main/org/all.yaml", "../x.yaml", f"{GH}/blob/main/x.yaml"),
        (f"{GH}/blob/main/org/all.yaml", "/x.yaml", f"{GH}/blob/main/x.yaml"),
        (f"{GH}/blob/main/org/all.yaml", f"{GH}/blob/dev/x.yaml", f"{GH}/blob/dev/x.yaml"),
        (
            f"{GH}/blob/main/all.yaml",
            "https://raw.githubusercontent.com/acme/shop/main/x.yaml",
            f"{GH}/blob/main/x.yaml",
        ),
        (
            "https://git.x.example/projects/PAY/repos/shop/browse/a/all.yaml?at=dev",
            "./x.yaml",
            "https://git.x.example/projects/PAY/repos/shop/browse/a/x.yaml?at=dev",
        ),
        (
            "https://git.x.example/projects/PAY/repos/shop/raw/a/all.yaml?at=dev",
            "../x.yaml",
            "https://git.x.example/projects/PAY/repos/shop/raw/x.yaml?at=dev",
        ),
        ("https://x.example/a/all.yaml", "./x.yaml#y", "https://x.example/a/x.yaml"),
    ],
)
def test_targets_are_found_beside_the_file(base, target, location):
    assert reader(base).targets(base, target) == [location]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("https://github.com/acme/secrets/blob/main/x.yaml", "is in another repository"),
        ("https://raw.githubusercontent.com/acme/secrets/main/x.yaml", "is in another repository"),
        ("https://github.com/login", "is in another repository"),
        ("../../../../x.yaml", "leads outside the repository"),
        ("https://gitlab.com/acme/shop/-/blob/main/x.yaml", "reads from one host only"),
    ],
)
def test_a_target_in_another_repository_is_refused(target, sentence):
    base = f"{GH}/blob/main/all.yaml"
    with pytest.raises(ReadError, match=sentence):
        reader(base).targets(base, target)


def test_the_page_of_a_repository_and_a_pointer_are_no_descriptors(site):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n"
    url = site.answer("/x.yaml", 200, pointer)
    with pytest.raises(ReadError, match="is a Git LFS pointer"):
        reader(url).read(url)
    page = site.answer("/projects/PAY/repos/shop", 200, "<html>", content_type="text/html")
    with pytest.raises(ReadError, match="This is the address of a repository"):
        reader(page).read(page)


@pytest.mark.parametrize("steps", ["%2e%2e/%2e%2e", "%2E./.%2e", "..%2f.."])
def test_no_steps_upwards_in_an_address_lead_to_another_repository(site, monkeypatch, steps):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_URL", "s3cret")
    site.serve("/api/v3/repos/acme/vault/contents/keys.yaml?ref=main", "another's")
    page = f"{site.url}/acme/shop/blob/main"
    opened = reader(f"{page}/all.yaml", "env:STAGEDOOR_CREDENTIAL_URL")
    with pytest.raises(ReadError, match="another repository"):
        opened.read(*opened.targets(f"{page}/all.yaml", f"{page}/{steps}/vault/contents/keys.yaml"))
    assert site.asked == []


@pytest.mark.parametrize("target", ["../b/x.yaml", "/user", "/a/%2e%2e/user", "/a/%252e%252e/user"])
def test_a_credential_reads_no_more_of_a_strange_host_than_the_files_folder(
    site, monkeypatch, target
):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_URL", "s3cret")
    base = f"{site.url}/a/all.yaml"
    assert reader(base, "env:STAGEDOOR_CREDENTIAL_URL").targets(base, "./x/y.yaml")
    assert reader(base).targets(base, target)
    with pytest.raises(ReadError, match="outside the folder"):
        reader(base, "env:STAGEDOOR_CREDENTIAL_URL").targets(base, target)
