"""A pasted address becomes what to read, or a word on who reads it already."""

import pytest

from catalog.analyse import NotUsable, analyse
from catalog.models import Repository, Source

pytestmark = pytest.mark.django_db

GH = "https://github.com/acme/shop"


def made(kind, target, slug="there", **fields):
    return Source.objects.create(slug=slug, name=slug.title(), kind=kind, target=target, **fields)


@pytest.mark.parametrize(
    ("text", "kind", "target", "options"),
    [
        (
            f" {GH}/blob/main/a/catalog-info.yaml#L1 ",
            "url",
            f"{GH}/blob/main/a/catalog-info.yaml",
            {},
        ),
        (
            "https://raw.githubusercontent.com/acme/shop/main/org.yml",
            "url",
            "https://raw.githubusercontent.com/acme/shop/main/org.yml",
            {},
        ),
        ("https://x.example/all.yaml", "url", "https://x.example/all.yaml", {}),
        (GH, "git", f"{GH}.git", {}),
        (f"{GH}.git", "git", f"{GH}.git", {}),
        ("git@github.com:acme/shop.git", "git", f"{GH}.git", {}),
        ("ssh://git@github.com/acme/shop.git", "git", f"{GH}.git", {}),
        (f"{GH}/tree/dev", "git", f"{GH}.git", {"branch": "dev"}),
        (
            f"{GH}/tree/main/services/pay/",
            "git",
            f"{GH}.git",
            {"branch": "main", "path": ["services/pay/catalog-info.yaml"]},
        ),
        (
            f"{GH}/blob/main/*/catalog-info.yaml",
            "git",
            f"{GH}.git",
            {"branch": "main", "path": ["*/catalog-info.yaml"]},
        ),
        ("https://git.acme.example/shop.git", "git", "https://git.acme.example/shop.git", {}),
    ],
)
def test_an_address_is_a_file_or_a_repository(text, kind, target, options):
    found = analyse(text)
    assert (found.spec.kind, found.spec.target, found.spec.options) == (kind, target, options)
    assert found.spec.credential_ref == ""
    assert found.known is False


def test_it_has_a_name_that_people_know():
    assert analyse(f"{GH}/tree/main").name == "acme/shop"
    assert analyse("https://x.example/org/all.yaml").name == "x.example: all.yaml"
    assert analyse("https://x.example").name == "x.example"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Paste the address"),
        ("github.com/acme/shop", "beginning with https://"),
        ("file:///etc/passwd", "beginning with https://"),
        ("/etc/passwd", "beginning with https://"),
        ("ext::sh -c id", "no spaces"),
        ("ext::id", "beginning with https://"),
        ("git@unknown.example:acme/shop", "beginning with https://"),
        ("javascript:alert(1)", "beginning with https://"),
        ("https://ana:secret@github.com/acme/shop", "holds a user name or password"),
        ("https://x.example/\0", "no spaces"),
        ("https://[broken/x", "beginning with https://"),
        ("https://x.example/" + "y" * 500, "500 characters"),
        ("https://raw.githubusercontent.com/a/b/main/x.yaml?token=secret", "holds a token"),
        ("https://gitlab.example/x.yaml?private_token=secret", "holds a token"),
    ],
)
def test_what_can_not_be_registered_is_said_with_what_to_write(text, sentence):
    with pytest.raises(NotUsable, match=sentence) as refused:
        analyse(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "target", "options", "url", "known"),
    [
        ("url", f"{GH}/blob/main/x.yaml", {}, f"{GH}/blob/main/x.yaml", True),
        (
            "url",
            "https://raw.githubusercontent.com/acme/shop/main/x.yaml",
            {},
            f"{GH}/blob/main/x.yaml",
            True,
        ),
        ("url", f"{GH}/blob/main/x.yaml", {}, f"{GH}/blob/main/y.yaml", False),
        ("git", f"{GH}.git", {}, f"{GH}/", True),
        ("git", "git@github.com:acme/shop.git", {}, GH, True),
        ("git", f"{GH}.git", {"branch": "dev"}, GH, False),
        ("git", f"{GH}.git", {"branch": "main"}, f"{GH}/blob/main/catalog-info.yaml", True),
        ("git", f"{GH}.git", {"path": ["x/*.yaml"]}, f"{GH}/tree/main/x", False),
    ],
)
def test_what_a_source_reads_already_is_found_however_it_is_written(
    kind, target, options, url, known
):
    source = made(kind, target, options=options)
    assert analyse(url).source == (source if known else None)


def test_a_repository_of_a_host_that_is_read_whole_is_found_there():
    source = made("github", "acme")
    row = Repository.objects.create(source=source, external_id="1", full_name="acme/shop", url=GH)
    elsewhere = made("bitbucket", "acme", "other")
    Repository.objects.create(
        source=elsewhere,
        external_id="1",
        full_name="acme/shop",
        url="https://bitbucket.org/acme/shop",
    )
    found = analyse(f"{GH}/blob/main/catalog-info.yaml")
    assert (found.source, found.row) == (source, row)
    row.state = Repository.State.GONE
    row.save()
    assert analyse(GH).known is False
