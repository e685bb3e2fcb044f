"""From the vendor to the row: every vendor of the sandbox signs as the real one does and posts to
a running portal. What is lost, late, repeated, out of order or damaged on its way makes nothing
wrong, and the scheduled reading finds what no delivery told.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
import requests
from celery import current_app
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from pipelines import builds, tasks, webhooks
from pipelines.models import Build, Pipeline, Server
from pipelines.sandbox.objects import Ask
from pipelines.sandbox.vendors import VENDORS
from pipelines.servers import client_for
from portal import inbox
from portal.models import Delivery, Heartbeat
from tests.pipelines.providers.traits import traits_of
from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle
from tests.pipelines.worker import Worker
from tests.pipelines.world import confirmed_link, make_pipeline, make_service

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "payments/checkout"
SECRET = "s3cret-of-the-hook"
OLD_KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
TELLERS = sorted(slug for slug, vendor in VENDORS.items() if vendor.hooks)
SIGNERS = [slug for slug in TELLERS if traits_of(slug).signs]


@dataclass
class Installation:
    """A vendor's server with one linked pipeline, that tells the portal what happens."""

    vendor: str
    sandbox: SandboxHandle
    handle: InstanceHandle
    server: Server
    pipeline: Pipeline

    def start(self) -> int:
        """A build that the portal was not asked for; its number at the vendor."""
        with self.sandbox.world.lock:
            instance = self.handle.instance
            return instance.start(instance.pipelines[NAME], Ask()).number

    def told(self) -> bool:
        """Whether the newest build has ended, and all that was sent about it was answered."""
        seen = self.handle.builds(NAME)[0].at(self.handle.instance.now())
        made = self.handle.deliveries()
        end_told = seen.finished_at and any(one.at >= seen.finished_at for one in made)
        return bool(end_told) and all(one.status for one in made if "lost" not in one.faults)

    def statuses(self) -> Counter[int | None]:
        return Counter(d.status for d in self.handle.deliveries() if "lost" not in d.faults)

    def poll(self) -> None:
        """Somebody looks, after the pause that the last reading cost."""
        long_ago = timezone.now() - timedelta(hours=1)
        Pipeline.objects.update(builds_tried_at=long_ago, not_before=None, due_at=long_ago)
        assert builds.want([self.pipeline], timezone.now()) == [self.pipeline.pk]
        builds.refresh(self.pipeline.pk)


@pytest.fixture(autouse=True)
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


@pytest.fixture(params=TELLERS)
def installation(request, sandbox, server_at, live_server, monkeypatch) -> Installation:
    vendor = request.param
    handle = sandbox.instances[vendor]
    handle.pipeline(NAME, **traits_of(vendor).pipeline)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", SECRET)
    options = dict(traits_of(vendor).options)
    server = server_at(handle, options=options, webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_HOOK")
    server.hook_keys = list(client_for(server).check().public_keys)
    server.save()
    pipeline = make_pipeline(server, NAME)
    confirmed_link(make_service("checkout"), pipeline)
    signs = traits_of(vendor).signs
    path = f"/hooks/{server.slug}/" + ("" if signs else f"{SECRET}/")
    handle.hook(live_server.url + path, SECRET)
    return Installation(vendor, sandbox, handle, server, pipeline)


def tick() -> None:
    """Without the list of pipelines, which would link the service by annotations it has none of."""
    Heartbeat.objects.all().delete()
    Server.objects.update(pipelines_due_at=timezone.now() + timedelta(hours=1))
    tasks.tick()


def test_a_build_of_the_vendors_own_arrives_by_itself(installation):
    """Nobody looks and nothing is due: the deliveries alone lead to the row and to its end."""
    number = installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {202}
    Pipeline.objects.update(not_before=None)  # what the budget put off
    tick()
    build = Build.objects.get(pipeline=installation.pipeline)
    assert (build.number, build.state) == (number, "passed")
    assert Delivery.objects.exclude(status__in=["done", "ignored"]).count() == 0
    assert Server.objects.get().hook_seen_at is not None
    assert not any(bytes(row.body) or row.headers for row in Delivery.objects.all())


@pytest.mark.parametrize("kind", ["repeated", "reordered", "delayed", "lost", "corrupted"])
def test_a_troubled_way_makes_nothing_wrong(installation, kind):
    installation.handle.fault(kind, probability=0.7, seed=3, seconds=0.2)
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) <= {202, 403}
    assert {row.state for row in Build.objects.all()} <= {"queued", "running", "passed"}
    installation.poll()
    assert Build.objects.get().state == "passed"


def test_what_is_repeated_is_kept_once(installation):
    installation.handle.fault("repeated")
    installation.start()
    until(lambda: installation.told() and twice(installation.handle))
    assert set(installation.statuses()) == {202}
    assert Delivery.objects.count() <= len(installation.handle.deliveries())


def twice(handle: InstanceHandle) -> bool:
    return all(delivery.attempts == 2 for delivery in handle.deliveries())


@pytest.mark.parametrize("installation", SIGNERS, indirect=True)
def test_what_was_changed_on_its_way_is_refused_with_a_reason(installation):
    installation.handle.fault("corrupted")
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {403}
    refused = Delivery.objects.get()
    assert (refused.status, refused.receiver) == ("refused", webhooks.receiver(installation.server))
    assert refused.reason
    assert not Build.objects.exists()


def test_a_delivery_with_another_secret_is_refused(installation, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", "another")
    Server.objects.update(hook_keys=[])
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {403}
    assert not Build.objects.exists()


def test_a_server_without_a_secret_refuses_what_is_signed(installation):
    Server.objects.update(webhook_secret_ref="", hook_keys=[])
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {403}


def test_a_recorded_delivery_that_is_sent_again_is_answered_and_changes_nothing(installation):
    installation.start()
    until(installation.told)
    kept = Delivery.objects.count()
    for delivery in installation.handle.deliveries():
        again = requests.post(
            delivery.outgoing.url,
            data=delivery.outgoing.body,
            headers=delivery.outgoing.headers,
            timeout=5,
        )
        assert again.status_code == 202
    assert Delivery.objects.count() == kept


@pytest.mark.parametrize("installation", ["travis"], indirect=True)
def test_a_vendors_new_key_is_read_by_itself(installation):
    """Known is the key of before; the first delivery is refused, and lets the new one be read."""
    later = timezone.now() + timedelta(hours=1)
    Server.objects.update(hook_keys=[OLD_KEY], check_due_at=later)
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {403}
    assert Server.objects.get().check_due_at < later
    tick()
    installation.start()
    until(installation.told)
    assert set(installation.statuses()) == {403, 202}


def test_a_worker_that_dies_over_a_delivery_loses_nothing(sandbox, server_at, tmp_path):
    """A real worker, killed between what it marked and the note that it has read the delivery."""
    sandbox.buildkite.pipeline(NAME)
    pipeline = make_pipeline(server_at(sandbox.buildkite), NAME)
    confirmed_link(make_service("checkout"), pipeline)
    server = Server.objects.get()
    url = f"{sandbox.buildkite.base_url}/organizations/payments/pipelines/checkout"
    told = {"event": "build.finished", "build": {"number": 1}, "pipeline": {"url": url}}
    lost = timezone.now() - timedelta(minutes=1)
    headers = {"x-buildkite-event": "build.finished", "content-type": "application/json"}
    inbox.keep(webhooks.receiver(server), "doomed", headers, json.dumps(told).encode(), lost)
    worker = Worker(tmp_path, STAGEDOOR_CRASH_AT="after_hint:doomed")
    worker.start()
    try:
        until(lambda: Delivery.objects.get().status != "waiting", seconds=90)
    finally:
        worker.kill()
    assert (tmp_path / "crashed-after_hint-doomed").exists()
    assert (Delivery.objects.get().status, bytes(Delivery.objects.get().body)) == ("done", b"")
