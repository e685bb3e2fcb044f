"""A person pastes an address, sees what would happen, registers it; without JavaScript."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from catalog.models import Repository, Source
from tests.catalog.gitserver import Repo, git_server
from tests.catalog.pages import page, queries
from tests.catalog.people import give
from tests.catalog.trees import component, group, read, states

pytestmark = pytest.mark.django_db

REGISTER = reverse("catalog:register")
PREVIEW = reverse("catalog:register_preview")
DESCRIPTOR = reverse("catalog:register_descriptor")


@pytest.fixture(autouse=True)
def loopback(settings, tmp_path):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def ana(client):
    """Signed in, and may register."""
    client.force_login(give(User.objects.create_user("ana"), "admin"))
    return client


def posted(client, address, status, **data):
    response = client.post(address, data)
    assert response.status_code == status
    return response


# --- Paste -----------------------------------------------------------------------------------
def test_register_says_what_to_paste_and_who_may(client, ana, django_user_model):
    text = page(client, f"{REGISTER}?url=https://x.example/a%22b")
    assert 'value="https://x.example/a&quot;b"' in text
    assert "disabled" not in text
    client.force_login(django_user_model.objects.create_user("vic"))
    text = page(client, REGISTER)
    assert "disabled" in text
    assert "which may not register" in text


def test_register_makes_the_source_and_reads_it_at_once(
    ana, site, at_once, django_capture_on_commit_callbacks
):
    url = site.serve("/all.yaml", component("shop"))
    with django_capture_on_commit_callbacks(execute=True):
        response = posted(ana, REGISTER, 302, url=url, name="The shop")
    assert response.url == reverse("catalog:source_detail", args=["the-shop"])
    assert states() == {"shop": "active"}
    # Twice changes nothing, and leads to what is there.
    response = posted(ana, REGISTER, 302, url=url, name="Another")
    assert response.url == reverse("catalog:source_detail", args=["the-shop"])


@pytest.mark.parametrize("view", [REGISTER, PREVIEW])
def test_register_refuses_what_is_no_address_with_what_to_write(ana, view):
    for url in ("", "file:///etc/passwd", "x" * 600, "https://x.example/\0"):
        text = posted(ana, view, 422, url=url).content.decode()
        assert 'role="alert"' in text
    assert not Source.objects.exists()


@pytest.mark.parametrize("view", [REGISTER, PREVIEW])
def test_register_asks_for_the_permission_and_for_a_post(viewer, site, view):
    url = site.serve("/all.yaml", component("shop"))
    posted(viewer, view, 403, url=url)
    assert site.asked == []
    assert not Source.objects.exists()


# --- Look ------------------------------------------------------------------------------------
def test_register_preview_lists_what_would_happen(ana, site, shop):
    url = site.serve("/all.yaml", component("new"), component("pay"), component("bad", owner=7))
    text = posted(ana, PREVIEW, 200, url=url).content.decode()
    assert "Would be added" in text
    assert "component:default/new" in text
    assert "Names that are taken" in text
    assert "Problems" in text
    assert f"{url}:" in text  # with the line
    assert '<button class="button button--primary">Register</button>' in text
    assert "new" not in states()
    assert ana.get(PREVIEW).status_code == 405


def test_register_preview_says_what_can_not_be_read_and_offers_to_write_one(ana, site):
    text = posted(ana, PREVIEW, 200, url=f"{site.url}/nope.yaml").content.decode()
    assert "answered 404" in text
    assert DESCRIPTOR in text
    assert "button--primary" not in text
    bad = site.serve("/bad.yaml", "kind: [")
    text = posted(ana, PREVIEW, 200, url=bad).content.decode()
    assert "be read: Line" in text
    worse = site.serve("/worse.yaml", "kind: [\n", "- x")
    text = posted(ana, PREVIEW, 200, url=worse).content.decode()
    assert "Problems" in text


def test_register_preview_of_a_repository_without_descriptor_leads_to_one(ana, tree):
    Repo(tree.folder / "shop.git", "trunk").commit({"README.md": "x"})
    with git_server(tree.folder) as host:
        text = posted(ana, PREVIEW, 200, url=f"{host.url}/shop.git").content.decode()
    assert "holds no catalog-info.yaml" in text
    assert f"{DESCRIPTOR}?branch=trunk&amp;path=catalog-info.yaml" in text
    assert 'role="alert"' not in text


def test_register_preview_says_who_reads_it_already(ana, tree):
    source = tree.source(kind="url", slug="there")
    source.target = "https://x.example/all.yaml"
    source.save()
    text = posted(ana, PREVIEW, 200, url="https://x.example/all.yaml").content.decode()
    assert "reads this already" in text
    assert reverse("catalog:source_detail", args=["there"]) in text
    host = Source.objects.create(slug="gh", name="Acme", kind="github", target="acme")
    row = Repository.objects.create(
        source=host, external_id="1", full_name="acme/shop", url="https://github.com/acme/shop"
    )
    text = posted(ana, PREVIEW, 200, url="https://github.com/acme/shop").content.decode()
    assert "There is nothing to register" in text
    assert reverse("catalog:repository_detail", args=[row.pk]) in text


# --- Write -----------------------------------------------------------------------------------
def test_register_descriptor_writes_one_and_judges_it(viewer, shop):
    text = page(viewer, DESCRIPTOR)
    assert "Name it and its owner" in text
    assert '<option value="payments">' in text
    filled = "?kind=Component&name=new&type=service&lifecycle=production&owner=payments"
    text = page(viewer, DESCRIPTOR + filled)
    assert "name: new" in text
    assert "The catalog would take this" in text
    text = page(viewer, f"{DESCRIPTOR}?kind=Component&name=two+words")
    assert "Not valid yet" in text


def test_register_descriptor_gives_htmx_the_text_only(viewer):
    text = page(viewer, f"{DESCRIPTOR}?kind=API&name=x", headers={"HX-Request": "true"})
    assert text.lstrip().startswith('<section id="descriptor-draft"')
    assert "<html" not in text
    assert "$text: ./openapi.yaml" in text


def test_register_descriptor_draws_the_form_anew_for_another_kind(viewer):
    headers = {"HX-Request": "true", "HX-Target": "descriptor-form"}
    text = page(viewer, f"{DESCRIPTOR}?kind=API&name=x&type=service", headers=headers)
    assert text.lstrip().startswith('<form id="descriptor-form"')
    assert 'name="definition"' in text
    assert "type: openapi" in text
    assert 'name="definition"' not in page(viewer, f"{DESCRIPTOR}?kind=Domain", headers=headers)


def test_register_descriptor_survives_what_people_and_robots_send(viewer):
    for query in ("?kind=Nothing", "?kind=Component&name=%00", "?kind=API&tags=" + "x" * 600):
        page(viewer, DESCRIPTOR + query)


def test_register_descriptor_asks_the_same_number_of_queries_however_many_teams(viewer, shop, tree):
    filled = f"{DESCRIPTOR}?kind=Component&name=new&type=x&lifecycle=y&owner=payments"
    before = queries(viewer, filled)
    tree.write("more/catalog-info.yaml", *(group(f"team{n}") for n in range(20)))
    read(shop)
    assert queries(viewer, filled) == before


def test_register_descriptor_leads_to_where_the_file_is_created(viewer):
    place = "repository=https://github.com/acme/shop&branch=main&path=catalog-info.yaml"
    text = page(viewer, f"{DESCRIPTOR}?kind=Domain&name=x&owner=y&{place}")
    assert "https://github.com/acme/shop/new/main?filename=catalog-info.yaml" in text
    assert f"{REGISTER}?url=https%3A%2F%2Fgithub.com" in text
