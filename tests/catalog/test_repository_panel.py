"""A service's page shows its repository's open pull requests, at the cost of two queries."""

from datetime import UTC, datetime, timedelta

import pytest
from django.template.loader import render_to_string

from catalog.models import Entity, PullRequest, Repository, SourceFile
from catalog.repository_panel import repository_of, repository_panel

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def repository(shop) -> Repository:
    """Holds the descriptors of the shop."""
    shop.kind = "bitbucket"
    shop.save()
    found = Repository.objects.create(
        source=shop,
        external_id="{1}",
        full_name="acme/shop",
        url="https://bitbucket.org/acme/shop",
        default_branch="main",
    )
    SourceFile.objects.filter(source=shop).update(repository=found)
    return found


def pull(repository: Repository, number: int, **fields: object) -> None:
    values = {"title": f"Change {number}", "url": f"https://bitbucket.org/pr/{number}", **fields}
    PullRequest.objects.create(
        repository=repository, number=number, updated_at=NOW + timedelta(hours=number), **values
    )


def pay() -> Entity:
    return Entity.objects.select_related("file").get(name="pay")


def drawn() -> str:
    return render_to_string("catalog/_pull_requests.html", repository_panel(pay()))


def test_the_newest_are_shown_with_what_is_left_out(repository, django_assert_num_queries):
    for number in range(1, 18):
        pull(repository, number, draft=number == 17)
    entity = pay()
    with django_assert_num_queries(2):
        shown = repository_panel(entity)
    assert [one.number for one in shown["pull_requests"]] == list(range(17, 12, -1))
    page = drawn()
    assert "#17 Change 17" in page
    assert page.count(">draft<") == 1
    assert 'href="https://bitbucket.org/acme/shop/pull-requests"' in page
    assert "12 more at the host" in page


def test_a_whole_page_of_them_may_be_more(repository):
    for number in range(1, 51):
        pull(repository, number)
    page = drawn()
    assert "50 or more" in page
    assert "At least 45 more at the host" in page


def test_none_says_as_of_when(repository):
    assert "They have not been read yet." in drawn()
    Repository.objects.update(pull_requests_read_at=NOW)
    assert "None, as of" in drawn()


def test_an_address_that_runs_something_is_no_link(repository):
    pull(repository, 1, url="javascript:alert(1)", title="<b>bold</b>")
    page = drawn()
    assert "javascript" not in page
    assert "&lt;b&gt;bold" in page


def test_an_entity_without_a_repository_has_no_panel(shop):
    assert repository_of(pay()) is None
    assert drawn().strip() == ""
