"""Webhooks of hosts: believed only when signed, kept once, and answered at once."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from catalog import tasks, webhooks
from catalog.models import Repository, Source, SyncRun
from portal.models import Delivery
from tests.catalog.hosts.github import GithubHost
from tests.catalog.trees import component, read

SECRET = "s3cret-of-the-hook"
REPOSITORY = {"id": 42, "full_name": "acme/pay", "default_branch": "main"}


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", SECRET)
    return "env:STAGEDOOR_CREDENTIAL_HOOK"


@pytest.fixture
def source(secret, db):
    later = timezone.now() + timedelta(hours=1)
    return Source.objects.create(
        slug="acme",
        name="Acme",
        kind="github",
        target="acme",
        webhook_secret_ref=secret,
        next_due_at=later,
    )


@pytest.fixture
def repository(source):
    return Repository.objects.create(
        source=source, external_id="42", full_name="acme/pay", default_branch="main"
    )


def signed(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(event="push", delivery="d-1", **body):
    """(headers, body) as GitHub sends them."""
    text = json.dumps({"ref": "refs/heads/main", "repository": REPOSITORY, **body}).encode()
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery}
    return headers | {"X-Hub-Signature-256": signed(text), "X-Hub-Signature": "sha1=0"}, text


def post(client, headers, body, slug="acme"):
    return client.post(
        f"/hooks/catalog/{slug}/", body, content_type="application/json", headers=headers
    )


def due(source):
    source.refresh_from_db()
    return source.next_due_at <= timezone.now()


# --- Who is believed -------------------------------------------------------------------------
def test_source_hook_keeps_what_is_signed_once(client, source):
    headers, body = github()
    assert [post(client, headers, body).status_code for _ in range(3)] == [202, 202, 202]
    delivery = Delivery.objects.get()
    assert (delivery.receiver, delivery.delivery_id) == ("catalog:acme", "d-1")
    assert "x-hub-signature-256" not in delivery.headers


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": signed(b"another body")},
        {"X-Hub-Signature-256": "sha256=é"},
        {"X-Hub-Signature": signed(b"", "another secret")},
    ],
)
def test_source_hook_refuses_what_is_not_signed_and_says_nothing(client, source, header):
    answer = post(client, {"X-GitHub-Event": "push", **header}, b'{"repository": 1}')
    assert answer.status_code == 403
    refused = Delivery.objects.get()
    assert (refused.status, bytes(refused.body)) == ("refused", b"")
    assert "sign" in refused.reason
    assert post(client, *github(), slug="nobody").content == answer.content


@pytest.mark.parametrize(
    ("names", "example"),
    [
        (
            ("X-Hub-Signature-256", "X-GitHub-Delivery"),
            b"Hello, World! 757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        (
            ("X-Hub-Signature", "X-Request-UUID"),
            b"Hello World! a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        ),
        (
            ("X-Hub-Signature", "X-Request-Id"),
            b"Hello World! a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        ),
    ],
)
def test_source_hook_takes_the_examples_of_the_hosts_manuals(
    client, source, monkeypatch, names, example
):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", "It's a Secret to Everybody")
    signature, identity = names
    body, _, digest = example.rpartition(b" ")
    headers = {signature: f"sha256={digest.decode()}", identity: "r-1"}
    assert post(client, headers, body).status_code == 202
    assert Delivery.objects.get().delivery_id == "r-1"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("", "No webhook secret is set"),
        ("env:STAGEDOOR_CREDENTIAL_ABSENT", "not set"),
        ("env:STAGEDOOR_CREDENTIAL_EMPTY", "empty"),
        ("pasted-secret", "not a credential reference"),
    ],
)
def test_source_hook_of_a_source_without_a_secret_refuses_all(
    client, source, monkeypatch, reference, reason
):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_EMPTY", " ")
    Source.objects.update(webhook_secret_ref=reference)
    body = b"{}"
    for key in ("", " ", SECRET):
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signed(body, key)}
        assert post(client, headers, body).status_code == 403
    assert reason in Delivery.objects.get().reason
    assert "pasted" not in Delivery.objects.get().reason


def test_source_hook_takes_either_secret_while_one_replaces_the_other(client, source, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_NEW", "new")
    both = "env:STAGEDOOR_CREDENTIAL_HOOK,env:STAGEDOOR_CREDENTIAL_NEW"
    Source.objects.update(webhook_secret_ref=both)
    for number, key in enumerate((SECRET, "new")):
        headers, body = github(delivery=f"d-{number}")
        headers["X-Hub-Signature-256"] = signed(body, key)
        assert post(client, headers, body).status_code == 202


def test_source_hook_of_a_source_that_is_off_refuses(client, source):
    Source.objects.update(enabled=False)
    assert post(client, *github()).status_code == 403
    assert client.get("/hooks/catalog/acme/").status_code == 405
    assert post(client, *github(), slug="x" * 400).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_source_hook_takes_no_body_of_three_megabytes_over_real_http(source, live_server):
    body = b'{"x": "' + b"a" * 3_000_000 + b'"}'
    url = f"{live_server.url}/hooks/catalog/acme/"
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signed(body)}
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 413
    assert "larger than" in Delivery.objects.get().reason


# --- What follows ----------------------------------------------------------------------------
def deliver(client, *args, **kwargs):
    """Sends it and lets the worker's task read it; the delivery as it is then."""
    headers, body = github(*args, **kwargs)
    assert post(client, headers, body).status_code == 202
    delivery = Delivery.objects.order_by("pk").last()
    webhooks.process(delivery.pk, timezone.now())
    delivery.refresh_from_db()
    return delivery


def test_source_hook_flags_the_pushed_repository_and_no_other(client, source, repository):
    other = Repository.objects.create(source=source, external_id="43", full_name="acme/web")
    delivery = deliver(client)
    assert (delivery.status, delivery.event, bytes(delivery.body)) == ("done", "push", b"")
    repository.refresh_from_db()
    other.refresh_from_db()
    assert repository.flagged_at is not None
    assert other.flagged_at is None
    assert not due(source)  # the rest is not read for it


def test_source_hook_ignores_a_push_to_a_branch_that_is_not_read(client, source, repository):
    delivery = deliver(client, ref="refs/heads/feature")
    assert (delivery.status, delivery.reason) == (
        "ignored",
        "It is about a branch that is not read.",
    )
    repository.refresh_from_db()
    assert repository.flagged_at is None
    Source.objects.update(options={"branch": "feature"})
    assert deliver(client, delivery="d-2", ref="refs/heads/feature").status == "done"


def test_source_hook_of_pull_requests_flags_their_repository(client, source, repository):
    assert deliver(client, "pull_request", action="opened").status == "done"
    repository.refresh_from_db()
    assert repository.flagged_at is not None


@pytest.mark.parametrize("action", ["created", "renamed", "transferred", "archived", "deleted"])
def test_source_hook_of_another_list_has_the_whole_source_read(client, source, repository, action):
    assert deliver(client, "repository", action=action).status == "done"
    assert due(source)
    # Whatever it says of the repository is not believed.
    repository.refresh_from_db()
    assert (repository.state, repository.archived) == ("active", False)


def test_source_hook_of_an_unknown_repository_has_the_whole_source_read_once_a_minute(
    client, source
):
    delivery = deliver(client)
    assert "names no repository" in delivery.reason
    assert due(source)
    now = timezone.now()
    later = now + timedelta(hours=1)
    Source.objects.update(last_attempt_at=now, next_due_at=later)
    deliver(client, delivery="d-2")
    source.refresh_from_db()
    assert now < source.next_due_at <= now + webhooks.WHOLE_EVERY


@pytest.mark.parametrize("event", ["ping", "star", "", "workflow_run"])
def test_source_hook_ignores_events_from_which_nothing_follows(client, source, repository, event):
    delivery = deliver(client, event)
    assert delivery.status == "ignored"
    assert delivery.reason
    assert not due(source)


def test_source_hook_that_comes_during_a_reading_is_followed_after_it(client, source):
    """The reading may have passed the change already."""
    run = SyncRun.objects.create(source=source, cause="schedule", state="running", attempts=1)
    delivery = deliver(client)
    assert delivery.status == "waiting"
    run.state = "succeeded"
    run.save()
    assert webhooks.process(delivery.pk, timezone.now())
    assert due(source)
    assert not webhooks.process(delivery.pk, timezone.now())


@pytest.mark.django_db(transaction=True)
def test_source_hook_whose_message_was_lost_is_followed_by_the_tick(client, source, repository):
    headers, body = github()
    post(client, headers, body)
    long_ago = timezone.now() - timedelta(minutes=1)
    Delivery.objects.update(received_at=long_ago)
    SyncRun.objects.create(source=source, cause="schedule", state="queued")
    tasks.tick.apply()
    tasks.read_delivery(Delivery.objects.get().pk)
    repository.refresh_from_db()
    assert repository.flagged_at is not None


@pytest.mark.django_db(transaction=True)
def test_source_hook_to_a_changed_entity_over_real_http(tree, secret, live_server, at_once):
    """From the host's push to the catalog's row, with nothing else that looks."""
    tree.write("catalog-info.yaml", component("pay"))
    source = tree.source(webhook_secret_ref=secret, interval_seconds=3600)
    read(source)
    tree.write("catalog-info.yaml", component("pay", lifecycle="deprecated"))
    Source.objects.update(last_attempt_at=timezone.now() - timedelta(hours=1))
    headers, body = github()
    url = f"{live_server.url}/hooks/catalog/org/"
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 202
    assert source.entities.get().lifecycle == "deprecated"
    assert SyncRun.objects.count() == 2
    # The same delivery again, and under another id: believed, and of little effect.
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 202
    headers["X-GitHub-Delivery"] = "d-2"
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 202
    assert SyncRun.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_source_hook_of_one_repository_has_that_one_read(
    monkeypatch, secret, live_server, at_once, settings
):
    """A push at GitHub: one repository of three is asked for, and its entity changes."""
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_GITHUB", "s3cret-token")
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with GithubHost().running() as host:
        for name in ("pay", "web", "shop"):
            host.add(name, {"catalog-info.yaml": component(name)})
        values = {"kind": "github", "target": host.target, "webhook_secret_ref": secret}
        values |= {"credential_ref": "env:STAGEDOOR_CREDENTIAL_GITHUB", "interval_seconds": 3600}
        source = Source.objects.create(slug="acme", name="Acme", **values)
        read(source)
        pay = host.find("acme/pay")
        commit = host.push(pay, {"catalog-info.yaml": component("pay", lifecycle="deprecated")})
        before = len(host.asked)
        headers, body = github(repository={"id": int(pay.id), "full_name": "acme/old-name"})
        url = f"{live_server.url}/hooks/catalog/acme/"
        assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 202
        asked = {path.split("/")[4] for path in host.paths()[before:]}
        pull_requests = [path for path in host.paths()[before:] if path.endswith("/pay/pulls")]
    assert source.entities.get(name="pay").lifecycle == "deprecated"
    assert source.entities.count() == 3
    run = SyncRun.objects.first()
    assert (run.partial, run.cause, run.state) == (True, "webhook", "succeeded")
    repository = source.repositories.get(external_id=pay.id)
    assert (repository.flagged_at, repository.head_commit) == (None, commit)
    assert asked <= {pay.id, "acme"}
    assert pull_requests
