"""The pages of sources say how old the data are and what is wrong; only the entitled may sync."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalog.models import Source, SyncRun
from portal.health import touch
from portal.models import AuditEvent, Role, RoleMapping
from tests.catalog.trees import component, group, read

FILE = "catalog-info.yaml"
LIST = "/sources/"
PAGE = "/sources/org/"
SYNC = "/sources/org/sync/"
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def alive(db):
    for process in ("beat", "worker", "tick"):
        touch(process)


@pytest.fixture
def viewer(client, db):
    """Signed in, with what everybody has."""
    user = User.objects.create_user("vic", first_name="Vic", last_name="Viewer")
    client.force_login(user)
    return client


@pytest.fixture
def admin(client, db):
    """Signed in, with the role that may sync, for everything."""
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.create(name="idp:platform"))
    role = Role.objects.get(slug="admin")
    RoleMapping.objects.create(group="idp:platform", role=role, scope_kind="everything")
    client.force_login(user)
    return client


def page(client, url=PAGE, **headers):
    response = client.get(url, **headers)
    assert response.status_code == 200
    return response.content.decode()


# --- List ------------------------------------------------------------------------------------
def test_source_list_shows_state_age_and_problems(viewer, tree, alive):
    tree.write(FILE, component("pay"), component("bad", owner=7))
    read(tree.source())
    text = page(viewer, LIST)
    assert "Org" in text
    assert "state--passed" in text
    assert "notice--error" not in text
    assert '<td data-label="Entities" class="num">1</td>' in text
    assert '<span class="tag tag--warning">1</span>' in text
    assert 'href="/catalog/" aria-current="page"' in text


def test_source_detail_says_once_that_it_is_off(viewer, tree, alive):
    tree.source(enabled=False)
    assert page(viewer, PAGE).lower().count("switched off") == 1


def test_source_list_says_that_beat_has_died(viewer, tree):
    touch("worker")
    assert "Celery beat has not run yet. Nothing is read on schedule." in page(viewer, LIST)


def test_source_list_explains_itself_when_empty(viewer, alive):
    text = page(viewer, LIST)
    assert "The catalog has no sources yet" in text
    assert "Add a source" not in text  # only for whom it leads somewhere


def test_source_list_asks_the_same_number_of_queries_for_many(viewer, tree, alive):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            page(viewer, LIST)
        return len(captured)

    tree.source(slug="first")
    one = queries()
    for number in range(20):
        source = tree.source(slug=f"s{number}")
        SyncRun.objects.create(source=source, cause="person")
    assert queries() == one < 20


def test_source_list_is_for_people_signed_in(client, db):
    assert client.get(LIST).status_code == 302


# --- One source ------------------------------------------------------------------------------
def test_source_detail_shows_the_reading_and_its_problems_by_file(viewer, tree, alive):
    tree.write(f"a/{FILE}", component("pay"), group("payments"))
    tree.write(f"b/{FILE}", component("bad", owner=7))
    read(tree.source())
    text = page(viewer)
    assert "Read 2 files: 2 added. 1 problem." in text
    assert f'class="mono">b/{FILE}</th>' in text
    assert "component:default/bad" in text
    assert 'href="/catalog/default/component/bad/"' not in text  # it has no page yet
    assert "hx-get" not in text.split('id="source-run"')[1]  # all is final: quiet
    assert "every 5 min" in text


def test_source_detail_links_a_problem_to_the_entity_that_has_it(viewer, tree, alive):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("pay", owner=7))
    read(source)
    assert 'href="/catalog/default/component/pay/"' in page(viewer)


def test_source_detail_says_what_failed_and_how_old_the_data_are(viewer, tree, alive):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    hours = timezone.now() - timedelta(hours=3)
    Source.objects.filter(pk=source.pk).update(last_success_at=hours)
    tree.remove(FILE)
    read(source)
    text = page(viewer)
    assert "The folder holds no catalog-info.yaml" in text
    assert "Nothing was changed." in text
    assert "3 h ago" in text
    assert "state--passed" in text  # the reading before
    assert text.index("state--failed") < text.index("state--passed")


def test_source_detail_escapes_what_authors_write(viewer, tree, alive):
    tree.write(FILE, component("pay"), "kind: <script>alert(1)</script>\n")
    read(tree.source())
    text = page(viewer)
    assert "<script>alert" not in text


def test_source_detail_names_who_claims_its_entities_as_well(viewer, tree, alive):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("pay"), component("own"))
    read(tree.source("a.yaml", "org"))
    read(tree.source("b.yaml", "copy"))
    text = page(viewer)
    assert "Names that others claim as well" in text
    assert 'href="/sources/copy/"' in text


def test_source_detail_gives_htmx_the_fragment_until_all_is_final(viewer, tree, alive):
    tree.write(FILE, component("pay"))
    source = tree.source()
    run = SyncRun.objects.create(source=source, cause="person")
    whole, part = page(viewer), page(viewer, **HTMX)
    assert part.strip() in whole
    assert "<html" not in part
    assert f'hx-get="{PAGE}"' in part
    run.delete()
    read(source)
    part = page(viewer, **HTMX)
    assert "hx-get" not in part
    assert "1 added" in part


def test_source_detail_asks_the_same_number_of_queries_for_many_problems(viewer, tree, alive):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            page(viewer)
        return len(captured)

    source = tree.source()
    tree.write(FILE, component("good"), *[component(f"c{n}", owner=7) for n in range(2)])
    read(source)
    few = queries()
    tree.write(FILE, component("good"), *[component(f"c{n}", owner=7) for n in range(300)])
    read(source)
    text = page(viewer)
    assert "The first 200 of 300 are shown." in text
    assert queries() == few < 26


def test_source_detail_of_no_source_is_a_404(viewer):
    assert viewer.get("/sources/nothing/").status_code == 404


# --- Sync now --------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_source_sync_reads_at_once_and_its_page_shows_the_result(admin, tree, alive, at_once):
    tree.write(FILE, component("pay"))
    tree.source()
    response = admin.post(SYNC, follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    assert "Read 1 file: 1 added." in response.content.decode()
    run = SyncRun.objects.get()
    assert (run.cause, run.requested_by.username) == ("person", "ada")
    event = AuditEvent.objects.get(action="source.sync")
    assert (event.actor, event.target, event.outcome) == ("ada", "source: org", "ok")
    assert event.data == {"run": run.pk}


@pytest.mark.django_db(transaction=True)
def test_source_sync_joins_a_reading_that_is_under_way(admin, tree, alive, at_once):
    source = tree.source()
    SyncRun.objects.create(source=source, cause="schedule", state="running", attempts=1)
    assert admin.post(SYNC).status_code == 302
    assert SyncRun.objects.count() == 1


def test_source_sync_is_refused_without_the_role_and_the_refusal_is_audited(viewer, tree, alive):
    tree.source()
    assert "disabled" in page(viewer).split('action="/sources/org/sync/"')[1].split("</form>")[0]
    response = viewer.post(SYNC)
    assert response.status_code == 403
    assert "sync a catalog source" in response.content.decode()
    assert not SyncRun.objects.exists()
    event = AuditEvent.objects.get(action="source.sync")
    assert (event.actor, event.outcome) == ("Vic Viewer", "denied")
    assert event.rule


def test_source_sync_of_a_role_in_a_smaller_scope_is_refused(viewer, tree, alive):
    tree.source()
    user = User.objects.get()
    user.groups.add(Group.objects.create(name="idp:team"))
    RoleMapping.objects.create(
        group="idp:team", role=Role.objects.get(slug="admin"), scope_kind="team", scope_ref="x"
    )
    assert viewer.post(SYNC).status_code == 403


def test_source_sync_of_a_source_that_is_off_is_refused(admin, tree, alive):
    tree.source(enabled=False)
    response = admin.post(SYNC)
    assert response.status_code == 403
    assert "switched off" in response.content.decode()


def test_source_sync_takes_only_a_post_with_its_token(admin, tree, alive):
    tree.source()
    assert admin.get(SYNC).status_code == 405
    admin.handler.enforce_csrf_checks = True
    assert admin.post(SYNC).status_code == 403
    assert reverse("catalog:source_sync", args=["org"]) == SYNC


# --- Dry run ---------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_source_dry_run_shows_what_would_change_and_changes_nothing(admin, tree, alive, at_once):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("old"))
    source = tree.source("*.yaml")
    read(source)
    tree.write("a.yaml", component("pay", lifecycle="deprecated"), component("new"))
    tree.write("b.yaml", component("bad", owner=7))
    response = admin.post("/sources/org/dry-run/")
    assert response.status_code == 302
    assert response.url == "/sources/org/#plan"
    plan = page(admin).split('id="plan"')[1].split("</section>")[0]
    assert "1 added, 1 changed, 1 gone" in plan
    assert "component:default/new" in plan
    assert "It is no longer described in" in plan
    assert "b.yaml:" in plan
    assert sorted(source.entities.values_list("name", "lifecycle")) == [
        ("old", "production"),
        ("pay", "production"),
    ]
    event = AuditEvent.objects.filter(action="source.sync").first()
    assert event.data["dry_run"] is True
    # A real reading makes the plan old news.
    admin.post(SYNC)
    assert 'id="plan"' not in page(admin)


def test_source_dry_run_is_refused_without_the_role(viewer, tree, alive):
    tree.source()
    form = page(viewer).split('action="/sources/org/dry-run/"')[1].split("</form>")[0]
    assert "disabled" in form
    assert viewer.post("/sources/org/dry-run/").status_code == 403
    assert not SyncRun.objects.exists()


# --- Held removals ---------------------------------------------------------------------------
RELEASE = "/sources/org/release/"


@pytest.fixture
def held(tree, alive):
    """Eight of ten entities are gone at once."""
    tree.write(FILE, *[component(f"c{number}") for number in range(10)])
    source = tree.source()
    read(source)
    tree.write(FILE, component("c0"), component("c1"))
    read(source)
    assert source.held["count"] == 8
    return source


def digest_in(text):
    return text.split('name="digest" value="')[1].split('"')[0]


def test_source_release_is_offered_with_the_names_of_what_goes(viewer, held):
    text = page(viewer)
    assert "8 of 10 entities are gone at once" in text
    notice = text.split('id="held"')[1].split("</section>")[0]
    assert notice.count("/catalog/default/component/c") == 8
    assert "disabled" in notice
    assert '#held">8 removals wait' in page(viewer, LIST)


@pytest.mark.django_db(transaction=True)
def test_source_release_lets_exactly_these_go(admin, held, at_once):
    response = admin.post(RELEASE, {"digest": digest_in(page(admin))}, follow=True)
    text = response.content.decode()
    assert "They go with the reading" in text
    assert 'id="held"' not in text
    assert held.entities.filter(state="missing").count() == 8
    assert AuditEvent.objects.get(action="source.release").outcome == "ok"


@pytest.mark.django_db(transaction=True)
def test_source_release_of_another_set_lets_nothing_go(admin, tree, held, at_once):
    seen = digest_in(page(admin))
    tree.write(FILE, component("c0"))
    read(held)
    response = admin.post(RELEASE, {"digest": seen}, follow=True)
    assert "has changed since you looked" in response.content.decode()
    assert not held.entities.filter(state="missing").exists()


def test_source_release_is_refused_without_the_role(viewer, held):
    assert viewer.post(RELEASE, {"digest": held.held["digest"]}).status_code == 403
    assert viewer.get(RELEASE).status_code == 405
    assert not held.entities.filter(state="missing").exists()


@pytest.mark.django_db(transaction=True)
def test_source_dry_run_names_what_would_wait_for_a_person(admin, tree, held, at_once):
    admin.post("/sources/org/dry-run/")
    plan = page(admin).split('id="plan"')[1].split("</section>")[0]
    assert "8 of 10</span> entities would be gone at once" in plan
    assert plan.count("/catalog/default/component/c") == 8
