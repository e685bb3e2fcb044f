"""What a source's page says beside its readings: limits, settings, files, webhooks, names."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from catalog import source_page
from catalog.models import Repository, Source, SourceFile, SyncIssue, SyncRun
from portal import inbox
from tests.catalog.pages import page, queries
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
PAGE = "/sources/acme/"


@pytest.fixture
def source():
    return Source.objects.create(slug="acme", name="Acme", kind="github", target="acme")


def told(minutes, **more):
    reset_at = timezone.now() + timedelta(minutes=minutes)
    values = {"limit": 1000, "remaining": 812, "seen_at": timezone.now().isoformat()}
    return {**values, "reset_at": reset_at.isoformat(), **more}


# --- Limits ----------------------------------------------------------------------------------
def test_the_hosts_limit_is_shown_until_it_counts_anew(viewer, source):
    source.quota = told(20)
    source.save()
    SyncRun.objects.create(source=source, cause="schedule", state="succeeded", requests=42)
    text = page(viewer, PAGE)
    assert "42 by the last reading; 812 of 1,000 requests left until " in text
    assert "42 requests; 812 of 1,000 requests left" in page(viewer, "/sources/")
    source.quota = told(-1)
    assert source_page.quota_of(source, timezone.now()) is None


@pytest.mark.parametrize("quota", [{}, {"limit": 5}, {"limit": "x", "remaining": None}, [], None])
def test_a_limit_that_nobody_told_is_not_shown(source, quota):
    source.quota = quota
    assert source_page.quota_of(source, timezone.now()) is None


def test_a_limit_without_an_end_is_shown(source):
    source.quota = {"limit": 1000, "remaining": 1, "reset_at": None}
    assert source_page.quota_of(source, timezone.now()).words == "1 of 1,000 requests left"


# --- Settings --------------------------------------------------------------------------------
def test_settings_are_said_in_words(viewer, source):
    source.options = {"topics": ["go", "backstage"], "include_forks": True, "unknown": 1}
    source.allowed_kinds = ["Component", "API"]
    source.registered_by = User.objects.create_user("ana", first_name="Ana", last_name="Sol")
    source.save()
    Repository.objects.create(source=source, external_id="1", full_name="acme/pay")
    Repository.objects.create(
        source=source, external_id="2", full_name="acme/web", has_descriptor=False
    )
    text = page(viewer, PAGE).split('id="settings"')[1]
    for words in ("go, backstage", "Forks</dt><dd>included", "Component, API", "Ana Sol"):
        assert words in text
    assert "1 without a descriptor" in text
    assert "no secret is set" in text


def test_webhooks_say_where_they_go_and_why_the_last_was_refused(viewer, source):
    source.webhook_secret_ref = "env:STAGEDOOR_CREDENTIAL_HOOK"
    source.save()
    assert "None came in the last seven days." in page(viewer, PAGE)
    inbox.refuse("catalog:acme", "Its signature does not fit the secret.", 10, timezone.now())
    text = page(viewer, PAGE)
    assert "/hooks/catalog/acme/" in text
    assert "Its signature does not fit the secret." in text
    assert "STAGEDOOR_CREDENTIAL_HOOK" not in text


# --- Files and names -------------------------------------------------------------------------
def test_files_are_shown_with_commit_and_age_and_problems_link_to_their_line(viewer, source):
    url = "https://github.com/acme/pay/blob/main/catalog-info.yaml"
    place = "acme/pay/catalog-info.yaml"
    values = {"digest": "d", "commit": "3f2c1a9b7d", "refs": ["component:default/pay"]}
    SourceFile.objects.create(source=source, location=place, url=url, **values)
    SourceFile.objects.create(source=source, location="x", url="javascript:alert(1)", digest="d")
    SyncIssue.objects.create(source=source, stage="schema", location=place, line=7, message="No")
    text = page(viewer, PAGE)
    assert "3f2c1a9b" in text
    assert f'href="{url}#L7"' in text
    assert "javascript:" not in text


def test_names_that_another_source_has_are_shown_on_both_sides(viewer, tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("pay"), component("own"))
    read(tree.source("a.yaml", "acme"))
    read(tree.source("b.yaml", "copy"))
    lost = page(viewer, "/sources/copy/").split('id="problems"')[1].split("</section>")[0]
    assert 'href="/catalog/default/component/pay/"' in lost
    assert "b.yaml" in lost
    assert '<span class="count">1</span>' in lost
    assert [row.problems for row in source_page.rows(timezone.now())] == [0, 1]
    assert "Names that others claim as well" in page(viewer, PAGE)


def test_a_page_asks_the_same_number_of_queries_however_many_files(viewer, source):
    def fill(start, end):
        for number in range(start, end):
            place = f"acme/r{number}/catalog-info.yaml"
            SourceFile.objects.create(source=source, location=place, digest="d")
            SyncIssue.objects.create(source=source, stage="schema", location=place, message="x")

    fill(0, 2)
    few = queries(viewer, PAGE)
    fill(2, 60)
    assert queries(viewer, PAGE) == few < 30
