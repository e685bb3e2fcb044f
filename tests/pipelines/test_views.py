"""The pages of builds, as a person's browser asks for them; the CI behind them is the sandbox."""

import uuid
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pipelines import builds
from pipelines.logs import mark_of
from pipelines.models import Build, Pipeline, Trigger
from pipelines.outbox import MAX_LOOKUPS
from pipelines.providers.base import StartRequest, State, Step
from pipelines.servers import client_for
from pipelines.sharing import key_of
from pipelines.views import PER_PAGE
from portal.models import Role
from portal.process_cache import answers
from tests.pipelines.four_eyes import approve, asked, make_guarded
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
SHOP = "component:default/shop"


@pytest.fixture
def link():
    return confirmed_link(make_service("shop"), make_pipeline(make_server(), "acme/shop"))


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


@pytest.fixture
def live(sandbox, server_at):
    """A build of the sandbox that runs until its test ends it, and has been read."""
    answers.clear()  # of another test's build with the same key
    sandbox.speed = 0.01
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    client_for(pipeline.server).start(StartRequest("acme/shop", str(uuid.uuid4()), branch="main"))
    builds.refresh(pipeline.pk)
    confirmed_link(make_service("shop"), pipeline)
    return Build.objects.get()


def end(sandbox, build):
    """Ends the build and reads it again, as a worker does a little later."""
    sandbox.buildkite.finish("acme/shop", build.number)
    Pipeline.objects.update(builds_tried_at=None)
    assert builds.refresh(build.pipeline_id)


def get(client, name, *args, **headers):
    return client.get(reverse(f"pipelines:{name}", args=args), headers=headers)


# --- One pipeline ----------------------------------------------------------------------------
def test_pipeline_asks_for_itself_again_only_while_something_moves(client, ana, link):
    make_build(link.pipeline, 1, "passed")
    builds.want([link.pipeline], link.pipeline.listed_at)
    quiet = get(client, "pipeline", link.pk).content.decode()
    make_build(link.pipeline, 2, "running")
    moving = get(client, "pipeline", link.pk).content.decode()
    assert "hx-get" not in quiet
    assert "hx-get" in moving


def test_pipeline_shows_what_is_on_its_way_until_only_a_person_can_tell(client, ana, link):
    builds.want([link.pipeline], link.pipeline.listed_at)
    trigger = Trigger.objects.create(action="start", pipeline=link.pipeline, entity=link.entity)
    waiting = get(client, "pipeline", link.pk).content.decode()
    assert "state--queued" in waiting
    assert "hx-get" in waiting
    Trigger.objects.filter(pk=trigger.pk).update(state="uncertain", lookups=MAX_LOOKUPS)
    given_up = get(client, "pipeline", link.pk).content.decode()
    assert "outcome unknown" in given_up
    assert "hx-get" not in given_up


def test_pipeline_shows_what_it_knows_and_what_went_wrong(client, ana, link):
    make_build(link.pipeline, 7, "failed", message="Fix <b>tax</b>", who="Elif")
    link.pipeline.builds_error = "Buildkite did not answer."
    link.pipeline.save()
    page = get(client, "pipeline", link.pk).content.decode()
    assert "#7" in page
    assert "Fix &lt;b&gt;tax&lt;/b&gt;" in page
    assert "Buildkite did not answer." in page


def test_pipeline_never_shows_an_unknown_state_as_passed(client, ana, link):
    make_build(link.pipeline, 1, "unknown", raw_state="dancing")
    page = get(client, "pipeline", link.pk).content.decode()
    assert "state--unknown" in page
    assert "state--passed" not in page


def test_pipeline_offers_only_what_policy_allows(client, link):
    make_build(link.pipeline, 1, "failed")
    client.force_login(make_person("ben", "viewer"))
    page = get(client, "pipeline", link.pk).content.decode()
    assert reverse("pipelines:build_retry", args=[Build.objects.get().pk]) not in page
    assert "may not start builds" in page
    client.force_login(make_person("ana", "deployer"))
    page = get(client, "pipeline", link.pk).content.decode()
    assert reverse("pipelines:build_retry", args=[Build.objects.get().pk]) in page


@pytest.mark.parametrize(
    "name", ["pipeline", "build_detail", "build_status", "build_log", "service_verdict"]
)
def test_who_may_not_see_builds_finds_nothing(client, link, settings, name):
    settings.DEFAULT_ROLE = ""
    build = make_build(link.pipeline, 1)
    pk = {"pipeline": link.pk, "service_verdict": link.entity_id}.get(name, build.pk)
    client.force_login(make_person("eve"))
    assert get(client, name, pk).status_code == 404


def test_signed_out_nothing_is_shown(client, link):
    assert get(client, "pipeline", link.pk).status_code == 302


# --- The list --------------------------------------------------------------------------------
def test_build_list_filters_by_state_and_by_who_asked(client, ana, link):
    make_build(link.pipeline, 1, "passed")
    make_build(link.pipeline, 2, "failed")
    url = reverse("pipelines:build_list")
    failed = client.get(url, {"state": "failed"}).content.decode()
    assert "#2" in failed
    assert "#1<" not in failed
    assert "No build matches this filter." in client.get(url, {"mine": "1"}).content.decode()


def test_build_list_costs_the_same_for_many_builds(
    client, ana, link, django_assert_max_num_queries
):
    for number in range(60):
        make_build(link.pipeline, number, minutes_ago=number)
    with django_assert_max_num_queries(14):
        get(client, "build_list")


def test_build_list_leads_to_older_builds_and_counts_none_behind_them(client, ana, link):
    for number in range(101):
        make_build(link.pipeline, number, minutes_ago=number)

    def shown(page):
        with CaptureQueriesContext(connection) as queries:
            html = client.get(reverse("pipelines:build_list"), {"page": page}).content.decode()
        (count,) = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        return "Newer" in html, "Older" in html, f"LIMIT {PER_PAGE * int(page) + 1}" in count

    assert shown("1") == (False, True, True)
    assert shown("2") == (True, True, True)
    assert shown("3") == (True, False, True)
    assert shown("999999999999999") == (True, False, True)


def test_build_list_is_whole_when_the_browser_goes_back(client, ana, link):
    part = get(client, "build_list", **{"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    back = get(client, "build_list", **{"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


# --- One build -------------------------------------------------------------------------------
def test_build_detail_shows_steps_and_the_log(client, ana, live, sandbox):
    sandbox.advance(60)
    end(sandbox, live)
    page = get(client, "build_detail", live.pk).content.decode()
    assert 'id="L1"' in page
    assert "state--passed" in page


def test_build_log_is_followed_from_where_the_reader_stands(client, ana, live, sandbox):
    sandbox.advance(60)
    first = get(client, "build_detail", live.pk).content.decode()
    assert "build-log-more" in first
    end(sandbox, live)
    answers.clear()
    rest = get(client, "build_log", live.pk).content.decode()
    assert 'id="L1"' in rest
    assert "build-log-more" not in rest


def test_build_log_is_waited_for_while_no_step_has_one_yet(client, ana, live):
    gate = Step("1", "Release?", State.WAITING, "blocked")
    answers.set(key_of("steps", live.pk, live.state), [gate])
    page = get(client, "build_detail", live.pk).content.decode()
    assert "build-log-more" in page
    assert "No output yet" in page


def test_build_log_goes_on_where_it_stood_when_the_server_is_away_for_a_moment(
    client, ana, live, sandbox
):
    sandbox.stop()
    answers.clear()
    mark = mark_of(live, "some-step", 40)
    asked = {"step": "some-step", "offset": mark, "line": "7"}
    page = client.get(reverse("pipelines:build_log", args=[live.pk]), asked).content.decode()
    assert f"?step=some-step&amp;offset={quote(mark)}&amp;line=7" in page
    assert "is not reached" in page
    assert "Asking again…" in page


@pytest.mark.parametrize("offset", ["5", "5:forged", "-1", "9" * 5_000])
def test_build_log_begins_where_the_portal_says_and_nobody_else(client, ana, live, sandbox, offset):
    """Else one could begin within a secret, whose rest is masked nowhere."""
    end(sandbox, live)
    whole = get(client, "build_log", live.pk).content.decode()
    asked = {"offset": offset, "line": "7", "fold": "3"}
    page = client.get(reverse("pipelines:build_log", args=[live.pk]), asked).content.decode()
    assert 'id="L1"' in page
    assert page == whole


def test_build_status_asks_for_itself_again_until_the_build_is_final(client, ana, live, sandbox):
    sandbox.advance(60)
    assert "hx-get" in get(client, "build_status", live.pk).content.decode()
    end(sandbox, live)
    final = get(client, "build_status", live.pk).content.decode()
    assert "hx-get" not in final
    assert "state--passed" in final


def test_build_detail_says_who_approved_it(client, ana, link):
    make_guarded()
    lena = make_person("lena", "deployer")
    trigger = asked(ana, link)
    assert approve(lena, trigger) == ""
    build = make_build(link.pipeline, 1, trigger=trigger)
    page = get(client, "build_detail", build.pk).content.decode()
    assert "through Stagedoor</a> in Production, approved by Lena" in page


@pytest.fixture
def shared(client, link, settings):
    """A build that was started for a service that Una does not see; hers shares the pipeline."""
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("una", "deployer", scope_kind="service", scope_ref=SHOP))
    secret = confirmed_link(make_service("secret"), link.pipeline)
    trigger = asked(make_person("root", "admin"), secret)
    return make_build(link.pipeline, 1, trigger=trigger)


def test_build_detail_names_no_service_that_one_may_not_see(client, shared):
    for name in ("build_detail", "build_status", "build_log_export"):
        page = get(client, name, shared.pk).content.decode()
        assert "secret" not in page
    retry = reverse("pipelines:build_retry", args=[shared.pk])
    assert retry in get(client, "build_detail", shared.pk).content.decode()
    sent = client.post(retry, {"request_id": str(uuid.uuid4())})
    assert sent["Location"].startswith("/triggers/")
    assert Trigger.objects.latest("pk").entity.name == "shop"


def test_build_detail_says_when_the_server_does_not_answer(client, ana, live, sandbox):
    sandbox.stop()
    page = get(client, "build_detail", live.pk)
    assert page.status_code == 200
    assert "is not reached" in page.content.decode()


def test_build_log_needs_the_right_to_read_logs(client, live, settings):
    settings.DEFAULT_ROLE = "seer"
    Role.objects.create(slug="seer", name="Seer", permissions=["build.view"])
    client.force_login(make_person("eve"))
    page = get(client, "build_detail", live.pk).content.decode()
    assert "You can't read this log" in page
    answer = get(client, "build_log", live.pk)
    assert answer.status_code == 403
    assert "which may not read build logs" in answer.content.decode()
    assert get(client, "build_log_export", live.pk).status_code == 403


def test_build_log_export_says_whose_build_it_is(client, ana, live, sandbox):
    end(sandbox, live)
    answer = get(client, "build_log_export", live.pk)
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert text.startswith("# Pipeline: ")
    assert "# Service: component:default/" in text
    assert "# Person: " in text


def test_build_log_export_needs_the_right_to_read_logs(client, live, settings):
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("eve"))
    assert get(client, "build_log_export", live.pk).status_code == 404
