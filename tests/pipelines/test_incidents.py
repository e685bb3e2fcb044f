"""A build of another commit than people approved is an incident, told and closed by somebody."""

import pytest
from django.urls import reverse
from django.utils import timezone

from pipelines.builds import record
from pipelines.dispatch import dispatch
from pipelines.incidents import CLOSED, SAY_HOW, close
from pipelines.models import Build, Incident, Pipeline, Trigger
from pipelines.providers.base import RemoteBuild, State
from portal.models import AuditEvent
from portal.templatetags.ui import entity_url
from tests.pipelines.four_eyes import COMMIT, approve, asked, make_guarded, make_link
from tests.pipelines.world import (
    confirmed_link,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "bad" + "0" * 37
PAGE = reverse("pipelines:incident_list")


@pytest.fixture
def link():
    """A Jenkins job: nobody can tell it which commit to build."""
    make_guarded(allow_unpinned=True)
    pipeline = make_pipeline(make_server("ci", "jenkins"), "job")
    return confirmed_link(make_service("shop", title="Shop"), pipeline)


@pytest.fixture
def trigger(link):
    """Approved for COMMIT, as the repository's host told it, and sent."""
    trigger = asked(make_person("ana", "deployer"), link, commit="")
    Trigger.objects.update(commit=COMMIT, state="dispatched", attempt=1)
    trigger.refresh_from_db()
    return trigger


@pytest.fixture
def root(client):
    user = make_person("root", "admin")
    client.force_login(user)
    return user


def read(trigger, commit, number=1):
    remote = RemoteBuild(
        external_id=str(number),
        state=State.RUNNING,
        raw_state="running",
        pipeline="job",
        number=number,
        commit=commit,
        request_id=str(trigger.request_id),
    )
    return record(trigger.pipeline, remote, timezone.now())


def text_of(answer):
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())


@pytest.mark.parametrize("commit", [COMMIT, COMMIT[:7], COMMIT.upper(), "", "HEAD", "bad000"])
def test_a_build_of_the_approved_commit_or_of_none_known_is_none(trigger, commit):
    assert read(trigger, commit).trigger == trigger
    assert not Incident.objects.exists()


@pytest.mark.parametrize("commit", [OTHER, OTHER[:7]])
def test_a_build_of_another_commit_is_one_incident(trigger, commit):
    read(trigger, "")
    for _ in range(3):
        read(trigger, commit)
    incident = Incident.objects.get()
    assert (incident.trigger, incident.kind) == (trigger, "other-commit")
    assert commit[:12] in incident.what
    assert COMMIT[:12] in incident.what
    event = AuditEvent.objects.get(action="incident.raise")
    assert (event.outcome, event.data["commit"]) == ("failed", commit)
    assert event.request_id == str(trigger.request_id)


def test_what_nobody_had_to_approve_may_be_of_any_commit(trigger):
    Trigger.objects.update(fingerprint="", approvals_needed=0)
    read(trigger, OTHER)
    assert not Incident.objects.exists()


def test_a_server_that_builds_another_commit_than_it_was_told_is_found_out(sandbox, server_at):
    make_guarded()
    link = make_link(sandbox, server_at)
    trigger = asked(make_person("ana", "deployer"), link)
    approve(make_person("ben", "deployer"), trigger)
    dispatch(trigger.pk)
    assert not Incident.objects.exists()
    sandbox.buildkite.builds("acme/shop")[0].commit = OTHER
    build = Build.objects.get()
    remote = RemoteBuild(
        external_id=build.external_id,
        state=State.RUNNING,
        raw_state="running",
        pipeline="acme/shop",
        commit=OTHER,
    )
    record(link.pipeline, remote, timezone.now())
    assert Incident.objects.get().trigger == trigger


def test_incident_list_shows_it_and_so_do_request_and_service(client, trigger, root):
    read(trigger, OTHER)
    assert "0000, and approved was c0ffee" in text_of(client.get(PAGE))
    request_page = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    Pipeline.objects.update(builds_read_at=timezone.now(), builds_tried_at=timezone.now())
    for page in (request_page, entity_url(trigger.entity.ref)):
        assert "Incident: job #1 runs bad0" in text_of(client.get(page)), page


def test_incident_list_says_when_there_is_none(client, root):
    assert "No incidents" in text_of(client.get(PAGE))


def test_incident_close_takes_a_comment_once(client, trigger, root):
    read(trigger, OTHER)
    incident = Incident.objects.get()
    url = reverse("pipelines:incident_close", args=[incident.pk])
    assert SAY_HOW in text_of(client.post(url, {"comment": " "}, follow=True))
    page = text_of(client.post(url, {"comment": "The branch moved; it was mine."}, follow=True))
    assert "Closed, with your name." in page
    assert "The branch moved; it was mine." in page
    assert close(root, incident, "Again.") == CLOSED
    incident.refresh_from_db()
    assert (incident.closed_by, incident.comment) == (root, "The branch moved; it was mine.")
    events = AuditEvent.objects.filter(action="incident.close")
    assert sorted(event.outcome for event in events) == ["failed", "failed", "ok"]


def test_incident_close_is_for_others_than_who_asked_and_needs_the_right(trigger):
    read(trigger, OTHER)
    incident = Incident.objects.get()
    assert close(make_person("dora", "deployer"), incident, "x") != ""
    Trigger.objects.update(actor=make_person("lena", "admin"))
    incident.refresh_from_db()
    assert "Somebody else" in close(Trigger.objects.get().actor, incident, "x")
    assert Incident.objects.get().closed_at is None
    assert AuditEvent.objects.filter(action="incident.close", outcome="denied").count() == 2
