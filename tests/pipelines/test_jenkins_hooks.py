"""A notification of a (sandbox's) Jenkins arrives at the portal, and the builds are read again."""

import pytest
from celery import current_app
from django.test import Client

from pipelines.models import Build, Server
from pipelines.sandbox.objects import Ask
from portal.models import Delivery
from tests.httpd import reply, serve
from tests.pipelines.sandbox.waiting import until
from tests.pipelines.world import confirmed_link, make_pipeline, make_service

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "long-and-random-1f2e3d"


@pytest.fixture
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


@pytest.fixture
def server(server_at, sandbox, monkeypatch) -> Server:
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", SECRET)
    return server_at(sandbox.jenkins, webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_HOOK")


def sent_about(sandbox, job, slug):
    """What the plugin posts about one build of a job, from its start to its end."""
    with serve(reply(200)) as receiver:
        sandbox.jenkins.hook(f"{receiver.url}/hooks/{slug}/{SECRET}/")
        with sandbox.world.lock:
            instance = sandbox.jenkins.instance
            instance.start(instance.pipelines[job], Ask())
        until(lambda: len(receiver.asked) == 4)
        return list(receiver.asked)


def arrive(asked, path=""):
    """The delivery at the portal, without a session."""
    client = Client(enforce_csrf_checks=True)
    return client.post(path or asked.path, asked.body, content_type=asked.headers["Content-Type"])


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "case",
    [
        ("team/app", {}, "team/app", "1"),
        ("site/main", {"multibranch": True, "branches": ["main"]}, "site", "main/1"),
    ],
    ids=["a job in a folder", "a branch of a project"],
)
def test_a_notification_lets_the_builds_be_read(sandbox, server, case):
    job, fields, pipeline, build = case
    sandbox.jenkins.pipeline(pipeline, **fields)
    folder = make_pipeline(server, "team", runnable=False)
    mine = make_pipeline(server, pipeline)
    confirmed_link(make_service("shop"), mine)
    for asked in sent_about(sandbox, job, server.slug):
        assert arrive(asked).status_code == 202
    assert list(Build.objects.values_list("pipeline", "external_id")) == [(mine.pk, build)]
    assert not Build.objects.filter(pipeline=folder).exists()
    kept = Delivery.objects.order_by("pk")
    assert [delivery.status for delivery in kept] == ["done"] * 4
    assert [delivery.event for delivery in kept] == [
        "build.queued", "build.started", "build.completed", "build.finalized",
    ]  # fmt: skip


def test_a_notification_without_the_secret_is_refused_and_a_repeated_one_kept_once(sandbox, server):
    sandbox.jenkins.pipeline("team/app")
    asked = sent_about(sandbox, "team/app", server.slug)[0]
    for path in (f"/hooks/{server.slug}/", f"/hooks/{server.slug}/guessed/"):
        assert arrive(asked, path).status_code == 403
    assert [arrive(asked).status_code for _ in range(2)] == [202, 202]
    assert Delivery.objects.exclude(status="refused").count() == 1
    assert SECRET not in str(list(Delivery.objects.values()))
