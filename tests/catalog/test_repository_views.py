"""Repositories are listed as found; what has no descriptor is shown one to commit."""

from datetime import UTC, datetime
from html import unescape

import pytest
import yaml
from django.utils import timezone

from catalog.descriptors import parse
from catalog.models import Entity, PullRequest, Repository, Source, SourceFile
from pipelines.models import Build
from tests.catalog.pages import names, page, queries
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db
LIST = "/repositories/"


@pytest.fixture
def source():
    return Source.objects.create(slug="acme", name="Acme", kind="github", target="acme")


def repository(source, name="acme/pay", **fields):
    values = {"external_id": name, "url": f"https://github.com/{name}", "default_branch": "main"}
    values |= {"has_descriptor": False, "read_at": timezone.now(), **fields}
    return Repository.objects.create(source=source, full_name=name, **values)


def pull_request(repository, number=7, **fields):
    values = {"title": "Add refunds", "author": "ana", "source_branch": "refunds"}
    values |= {"target_branch": "main", "url": f"{repository.url}/pull/{number}"}
    values |= {"updated_at": datetime(2026, 11, 1, tzinfo=UTC), **fields}
    return PullRequest.objects.create(repository=repository, number=number, **values)


# --- List ------------------------------------------------------------------------------------
def test_repository_list_filters_by_descriptor_source_and_name(viewer, source):
    other = Source.objects.create(slug="bb", name="BB", kind="bitbucket", target="bb")
    repository(source, has_descriptor=True)
    repository(source, "acme/web")
    repository(other, "bb/web", has_descriptor=None)
    repository(source, "acme/old", state="gone")
    assert names(page(viewer, LIST)) == ["acme/pay", "acme/web", "bb/web"]
    assert names(page(viewer, f"{LIST}?descriptor=with")) == ["acme/pay"]
    assert names(page(viewer, f"{LIST}?descriptor=without")) == ["acme/web"]
    assert names(page(viewer, f"{LIST}?source=bb")) == ["bb/web"]
    assert names(page(viewer, f"{LIST}?q=WEB+ac")) == ["acme/web"]
    assert "Nothing matches these filters" in page(viewer, f"{LIST}?q=nothing")
    page(viewer, f"{LIST}?q=x%00&source=%00&page=x")
    assert "not looked yet" in page(viewer, LIST)


def test_repository_list_gives_htmx_the_table_alone(viewer, source):
    repository(source)
    text = page(viewer, LIST, HTTP_HX_REQUEST="true")
    assert 'id="repository-table"' in text
    assert "<html" not in text


def test_repository_list_asks_the_same_number_of_queries_for_many(viewer, source):
    pull_request(repository(source))
    one = queries(viewer, LIST)
    for number in range(60):
        pull_request(repository(source, f"acme/r{number}"))
    assert queries(viewer, LIST) == one < 12
    assert "1 to 50 of 61" in page(viewer, LIST)
    assert "51 to 61 of 61" in page(viewer, f"{LIST}?page=2")


def test_repository_list_explains_itself_when_empty(viewer):
    assert "No repositories have been found yet" in page(viewer, LIST)


def test_repository_list_is_for_people_signed_in(client):
    assert client.get(LIST).status_code == 302


# --- One repository --------------------------------------------------------------------------
def test_repository_detail_links_to_no_unsafe_address(viewer, source):
    repo = repository(source)
    pull_request(repo, url="javascript:alert(1)")
    text = page(viewer, f"{LIST}{repo.pk}/")
    assert "Add refunds" in text
    assert "javascript:" not in text


def test_repository_detail_shows_branch_pull_requests_and_what_it_describes(viewer, source):
    repo = repository(source, has_descriptor=True, head_commit="3f2c1a9b7d")
    pull_request(repo, draft=True)
    file = SourceFile.objects.create(
        source=source, location="acme/pay/catalog-info.yaml", repository=repo, digest="d"
    )
    values = {"kind": "Component", "name": "pay", "document": {"metadata": {}, "spec": {}}}
    Entity.objects.create(ref="component:default/pay", source=source, file=file, **values)
    text = page(viewer, f"{LIST}{repo.pk}/")
    assert "3f2c1a9b" in text
    assert "#7 Add refunds" in text
    assert "refunds → main" in text
    assert 'href="/catalog/default/component/pay/"' in text
    assert "Add it to the catalog" not in text


def test_repository_detail_offers_a_descriptor_that_names_its_pipelines(viewer, source):
    server = make_server(provider="drone", slug="drone", base_url="https://drone.example")
    make_pipeline(server, "acme/Pay", repository="https://github.com/acme/Pay.git")
    make_pipeline(server, "acme/pay-two", repository="https://github.com/acme/pay-two.git")
    repo = repository(source, "acme/Pay", description="Takes: money")
    text = page(viewer, f"{LIST}{repo.pk}/")
    offered = text.split("readonly spellcheck")[1].split(">", 1)[1].split("</textarea>")[0]
    offered = unescape(offered)
    document = yaml.safe_load(offered)
    assert document["metadata"] == {
        "name": "pay",
        "title": "Pay",
        "description": "Takes: money",
        "annotations": {
            "backstage.io/source-location": "url:https://github.com/acme/Pay/",
            "github.com/project-slug": "acme/Pay",
            "drone.io/repo": "acme/Pay",
        },
    }
    assert "https://github.com/acme/Pay/new/main?filename=catalog-info.yaml&amp;value=" in text
    # Whoever commits it as it is, is told what lacks.
    assert not parse(offered.encode())[0].valid
    named = offered.replace("owner:", "owner: payments", 1)
    assert parse(named.encode())[0].valid


def test_repository_detail_shows_builds_and_nothing_that_starts_one(viewer, source):
    server = make_server(provider="drone", slug="drone", base_url="https://drone.example")
    pipeline = make_pipeline(server, "acme/pay", repository="git@github.com:acme/pay.git")
    now = {"queued_at": timezone.now(), "observed_at": timezone.now()}
    Build.objects.create(pipeline=pipeline, external_id="9", number=9, state="failed", **now)
    repo = repository(source)
    text = page(viewer, f"{LIST}{repo.pk}/")
    assert "state--failed" in text
    assert "<form" not in text.split('id="builds"')[1].split("</section>")[0]


def test_repository_detail_of_one_that_is_gone_or_unknown(viewer, source):
    repo = repository(source, state="gone", url="javascript:alert(1)")
    text = page(viewer, f"{LIST}{repo.pk}/")
    assert "no longer lists" in text
    assert "javascript:" not in text.split("<textarea")[0]
    page(viewer, f"{LIST}9999999999999999999999/", 404)


def test_repository_detail_is_for_those_who_may_see_the_catalog(client, source):
    assert client.get(f"{LIST}{repository(source).pk}/").status_code == 302
