"""Webhooks: what is sent when a build changes, and what may happen to it on its way."""

import hashlib
import hmac
import json
import time
from dataclasses import replace

import pytest

from pipelines.sandbox import watch
from pipelines.sandbox.definitions import add_pipeline
from pipelines.sandbox.engine import World
from pipelines.sandbox.objects import Ask
from pipelines.sandbox.vendors import VENDORS
from pipelines.sandbox.wire import Outgoing
from tests.httpd import closed_port, hang, reply, serve
from tests.pipelines.sandbox.waiting import until

SHOP = "acme/shop"
BUILDS = "organizations/acme/pipelines/shop/builds"
STEPS = [{"name": "Test"}, {"name": "Go?", "gate": True}, {"name": "Deploy"}]
START = {"commit": "HEAD", "branch": "main"}


@pytest.fixture
def receiver():
    with serve(reply(200)) as httpd:
        yield httpd


def events(httpd) -> list[str]:
    return [asked.headers["X-Buildkite-Event"] for asked in httpd.asked]


def test_every_change_is_told_in_its_order(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP, steps=STEPS)
    sandbox.buildkite.hook(receiver.url, "s3cret")
    buildkite("POST", BUILDS, json=START)
    until(lambda: "build.finished" in events(receiver))
    sandbox.buildkite.instance.unblock(sandbox.buildkite.build(SHOP, 1), 1, None)
    until(lambda: events(receiver).count("build.finished") == 2)
    assert events(receiver) == [
        "build.scheduled",
        "build.running",
        "job.scheduled",
        "job.started",
        "job.finished",
        "build.finished",
        "job.activated",
        "job.scheduled",
        "job.started",
        "job.finished",
        "build.finished",
    ]
    bodies = [json.loads(asked.body) for asked in receiver.asked]
    assert [body["build"]["blocked"] for body in bodies[4:6]] == [True, True]
    assert bodies[-1]["build"]["state"] == "passed"
    assert bodies[-1]["build"]["url"].startswith(sandbox.buildkite.base_url)


def test_what_happens_between_two_looks_is_told_whole(sandbox, receiver):
    sandbox.speed = 1
    sandbox.buildkite.pipeline(SHOP, steps=[{"name": "Test", "outcome": "failed"}])
    sandbox.buildkite.hook(receiver.url, "s3cret", events=["build.running", "build.finished"])
    with sandbox.world.lock:
        instance = sandbox.buildkite.instance
        instance.start(instance.pipelines[SHOP], Ask())
        sandbox.advance(60)
        instance.retry(sandbox.buildkite.build(SHOP, 1), 0)
        sandbox.advance(60)
    until(lambda: len(receiver.asked) == 3)
    states = [json.loads(asked.body)["build"]["state"] for asked in receiver.asked]
    assert states == ["running", "failed", "failed"]


def test_a_delivery_is_signed_over_time_and_body(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP)
    sandbox.buildkite.hook(receiver.url, "s3cret")
    buildkite("POST", BUILDS, json=START)
    until(lambda: receiver.asked)
    asked = receiver.asked[0]
    parts = dict(p.split("=") for p in asked.headers["X-Buildkite-Signature"].split(","))
    signed = parts["timestamp"].encode() + b"." + asked.body
    assert parts["signature"] == hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert abs(int(parts["timestamp"]) - time.time()) < 60


def test_the_older_mode_sends_the_token_itself(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP)
    sandbox.buildkite.hook(receiver.url, "s3cret", mode="token")
    buildkite("POST", BUILDS, json=START)
    until(lambda: receiver.asked)
    assert receiver.asked[0].headers["X-Buildkite-Token"] == "s3cret"
    assert "X-Buildkite-Signature" not in receiver.asked[0].headers


def test_a_target_of_one_pipeline_hears_of_no_other(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP)
    sandbox.buildkite.pipeline("acme/web")
    sandbox.buildkite.hook(receiver.url, "s3cret", pipeline="acme/web")
    buildkite("POST", BUILDS, json=START)
    buildkite("POST", BUILDS.replace("shop", "web"), json=START)
    until(lambda: receiver.asked)
    assert {d.pipeline for d in sandbox.buildkite.deliveries()} == {"acme/web"}


def test_what_was_there_before_is_no_news(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP, history=5)
    sandbox.buildkite.hook(receiver.url, "s3cret", events=["build.scheduled"])
    sandbox.buildkite.pipeline("acme/web", history=5)
    buildkite("POST", BUILDS, json=START)
    until(lambda: receiver.asked)
    assert [d.build for d in sandbox.buildkite.deliveries()] == [6]


def test_a_build_that_ended_long_ago_is_told_when_it_runs_again(sandbox, buildkite, receiver):
    sandbox.buildkite.pipeline(SHOP, steps=[{"name": "Test", "outcome": "failed"}])
    buildkite("POST", BUILDS, json=START)
    sandbox.advance(60)
    sandbox.buildkite.hook(receiver.url, "s3cret")
    assert buildkite("PUT", f"{BUILDS}/1/retry_failed_jobs").status_code == 202
    until(lambda: "build.finished" in events(receiver))
    assert events(receiver)[0] == "job.scheduled"


class TestFaults:
    """`buildkite` starts one build; only its build.* events are looked at."""

    @pytest.fixture(autouse=True)
    def only_builds(self, sandbox, receiver):
        wanted = ["build.scheduled", "build.running", "build.finished"]
        sandbox.buildkite.pipeline(SHOP)
        sandbox.buildkite.hook(receiver.url, "s3cret", events=wanted)

    def test_lost(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("lost", times=1)
        buildkite("POST", BUILDS, json=START)
        until(lambda: "build.finished" in events(receiver))
        assert events(receiver) == ["build.running", "build.finished"]
        assert sandbox.buildkite.deliveries()[0].faults == ["lost"]
        assert sandbox.buildkite.deliveries()[0].status is None

    def test_repeated(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("repeated", times=1)
        buildkite("POST", BUILDS, json=START)
        until(lambda: "build.finished" in events(receiver))
        assert events(receiver)[:2] == ["build.scheduled", "build.scheduled"]
        assert receiver.asked[0].body == receiver.asked[1].body

    def test_reordered(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("reordered", times=1, seconds=60)
        buildkite("POST", BUILDS, json=START)
        until(lambda: "build.finished" in events(receiver))
        assert events(receiver) == ["build.running", "build.scheduled", "build.finished"]

    def test_delayed(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("delayed", times=1, seconds=1)
        buildkite("POST", BUILDS, json=START)
        sandbox.advance(60)
        until(lambda: "build.scheduled" in events(receiver))
        assert events(receiver)[-1] == "build.scheduled"

    def test_corrupted(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("corrupted", times=1)
        buildkite("POST", BUILDS, json=START)
        until(lambda: receiver.asked)
        asked = receiver.asked[0]
        parts = dict(p.split("=") for p in asked.headers["X-Buildkite-Signature"].split(","))
        signed = parts["timestamp"].encode() + b"." + asked.body
        assert parts["signature"] != hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()

    def test_requests_to_the_vendor_are_not_hit(self, sandbox, buildkite, receiver):
        sandbox.buildkite.fault("lost")
        assert buildkite("POST", BUILDS, json=START).status_code == 201
        assert buildkite("GET", BUILDS).status_code == 200


def test_a_receiver_that_hangs_stops_neither_the_sandbox_nor_another_instance(sandbox, buildkite):
    sandbox.buildkite.pipeline(SHOP)
    second = sandbox.add("buildkite", "buildkite-two")
    second.pipeline(SHOP)
    with serve(hang) as slow, serve(reply(200)) as quick:
        sandbox.buildkite.hook(slow.url, "s3cret")
        second.hook(quick.url, "s3cret")
        buildkite("POST", BUILDS, json=START)
        until(lambda: slow.asked)
        assert buildkite("GET", BUILDS).status_code == 200
        with sandbox.world.lock:
            second.instance.start(second.instance.pipelines[SHOP], Ask())
        until(lambda: "build.finished" in events(quick))
        assert len(slow.asked) == 1


@pytest.mark.parametrize(("status", "attempts"), [(503, 3), (404, 1), (200, 1)])
def test_a_vendor_that_tries_again_does_so_when_the_receiver_fails(
    sandbox, monkeypatch, status, attempts
):
    vendor = VENDORS["buildkite"]
    wish = lambda changed, url, secret: [Outgoing(url, {}, b"{}", retries=(2, 4))]  # noqa: E731
    monkeypatch.setitem(VENDORS, "buildkite", replace(vendor, hooks=wish))
    sandbox.buildkite.pipeline(SHOP, steps=[{"name": "Go?", "gate": True}])
    with serve(reply(status)) as receiver:
        sandbox.buildkite.hook(receiver.url)
        with sandbox.world.lock:
            sandbox.buildkite.instance.start(sandbox.buildkite.instance.pipelines[SHOP], Ask())
        until(lambda: [d.attempts for d in sandbox.buildkite.deliveries()] == [attempts] * 2)
        assert len(receiver.asked) == 2 * attempts


def test_a_mistake_of_one_vendor_is_noted_and_stops_no_other(sandbox, monkeypatch, receiver):
    def broken(changed, url, secret):
        raise KeyError("mistake")

    monkeypatch.setitem(VENDORS, "jenkins", replace(VENDORS["jenkins"], hooks=broken))
    for handle, name in ((sandbox.jenkins, "shop"), (sandbox.buildkite, SHOP)):
        handle.pipeline(name)
        handle.hook(receiver.url)
        with sandbox.world.lock:
            handle.instance.start(handle.instance.pipelines[name], Ask())
    until(lambda: "build.finished" in events(receiver))
    until(lambda: sandbox.sandbox.courier.crashes)
    assert {type(crash) for crash in sandbox.sandbox.courier.crashes} == {KeyError}
    sandbox.sandbox.courier.stop()
    sandbox.sandbox.courier.crashes.clear()  # or the fixture would object


def test_a_receiver_that_is_away_is_noted(sandbox, buildkite):
    sandbox.buildkite.pipeline(SHOP)
    sandbox.buildkite.hook(f"http://127.0.0.1:{closed_port()}/", "s3cret")
    buildkite("POST", BUILDS, json=START)
    until(lambda: [d for d in sandbox.buildkite.deliveries() if d.error == "ConnectionError"])


def test_nothing_is_sent_while_stopped_and_the_rest_after(sandbox, buildkite, receiver):
    sandbox.speed = 1
    sandbox.buildkite.pipeline(SHOP)
    sandbox.buildkite.hook(receiver.url, "s3cret")
    buildkite("POST", BUILDS, json=START)
    until(lambda: receiver.asked)
    sandbox.stop()
    before = len(receiver.asked)
    sandbox.advance(60)
    assert len(receiver.asked) == before
    sandbox.start()
    until(lambda: "build.finished" in events(receiver))


def test_targets_are_set_seen_and_dropped_by_control(sandbox, control, receiver):
    control("POST", "pipelines", json={"instance": "buildkite", "name": SHOP})
    hook = {"instance": "buildkite", "url": receiver.url, "secret": "s3cret", "pipeline": SHOP}
    made = control("POST", "hooks", json=hook).json()
    with sandbox.world.lock:
        sandbox.buildkite.instance.start(sandbox.buildkite.instance.pipelines[SHOP], Ask())
    until(lambda: "build.finished" in events(receiver))
    told = control("GET", "hooks", params={"instance": "buildkite"})
    assert told.json()["targets"] == [{"id": made["id"], "url": receiver.url, "pipeline": SHOP}]
    until(
        lambda: (
            {d["status"] for d in control("GET", "hooks?instance=buildkite").json()["deliveries"]}
            == {200}
        )
    )
    assert "s3cret" not in told.text
    assert control("DELETE", "hooks", json={"instance": "buildkite"}).json() == {"removed": 1}
    assert control("GET", "hooks?instance=buildkite").json()["targets"] == []


def test_builds_at_rest_are_not_looked_at(monkeypatch):
    """The work is counted: what ended, or waits for a person, costs nothing at a look."""
    world = World()
    instance = world.add("buildkite", "bk")
    load = [{"name": f"acme/app-{n}", "history": 3} for n in range(100)]
    for entry in load:
        add_pipeline(instance, entry)
    instance.add_hook("http://127.0.0.1:1/")
    waiting = add_pipeline(instance, {"name": "acme/gated", "steps": [{"name": "?", "gate": True}]})
    instance.start(waiting, Ask())
    world.clock.advance(60)
    assert len(instance.watch.changes(instance.now())) == 2  # scheduled, waiting
    asked = []
    monkeypatch.setattr(watch, "snapshot", lambda *args: asked.append(args))
    assert instance.watch.changes(instance.now() + 3600) == []
    assert asked == []
