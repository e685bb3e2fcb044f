"""Whatever a vendor answers, an adapter neither crashes nor shows green without the vendor's word.

The sandbox's true answers are damaged on their way, over real HTTP. STAGEDOOR_SHAPES says how many
answers per provider (300 unless set), STAGEDOOR_SEED repeats a run.
"""

import json
import os
import random
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, RemoteBuild, State
from pipelines.providers.errors import ProviderError
from tests.httpd import reply, serve
from tests.pipelines.providers.conftest import MOVING, build_of, make_adapter, until
from tests.pipelines.providers.shapes import damaged, encoded, unheard_of
from tests.pipelines.providers.test_contract import ask
from tests.pipelines.providers.traits import traits_of

SHAPES = int(os.environ.get("STAGEDOOR_SHAPES") or 300)
SEED = int(os.environ.get("STAGEDOOR_SEED") or random.randrange(10**6))
STEPS = [{"name": "Build", "seconds": 1}, {"name": "Test", "seconds": 1}]
ENDS = ("passed", "failed")


@pytest.fixture
def builds(installation) -> list[RemoteBuild]:
    """One build of each end, one cancelled, and one that still runs."""
    adapter, pipeline = installation.adapter(), installation.pipeline
    made = []
    for wanted in (*ENDS, "running"):
        build = build_of(adapter, pipeline, adapter.start(ask(pipeline)))
        if wanted in ENDS:
            until(lambda: installation.handle.builds(pipeline))  # out of the queue
            installation.handle.finish(pipeline, build.number, wanted)
            seen = adapter.get_build(pipeline, build.external_id)
            assert seen.state == wanted
        made.append(build)
    return made


class Damage:
    """A proxy to the sandbox; `change` is applied to every JSON answer."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.change = lambda value: value
        self.known: dict[str, requests.Response] = {}

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        answer = self.known.get(handler.path)
        if answer is None:
            headers = {k: v for k, v in handler.headers.items() if k.lower() != "host"}
            answer = requests.get(self.base + handler.path, headers=headers, timeout=10)
            self.known[handler.path] = answer
        if "json" not in answer.headers.get("Content-Type", ""):
            kind = answer.headers.get("Content-Type", "")
            reply(answer.status_code, answer.content, Content_Type=kind)(handler)
            return
        body = encoded(self.change(json.loads(answer.content)))
        reply(answer.status_code, body, Content_Type="application/json")(handler)


def readings(adapter, pipeline, builds):
    """Every read that gives something with a state."""
    build = builds[0].external_id
    calls = [
        lambda: adapter.list_builds(pipeline),
        lambda: adapter.get_build(pipeline, build),
        lambda: adapter.get_build(pipeline, builds[1].external_id),
    ]
    if Capability.STEPS in adapter.capabilities:
        calls.append(lambda: adapter.steps(pipeline, build))
    if Capability.FEED in adapter.capabilities:
        calls.append(adapter.feed)
    if Capability.UNBLOCK in adapter.capabilities:
        calls.append(lambda: [gate for gate in adapter.gates(pipeline, build) if not gate.id])
    return calls


def states(found) -> list[State]:
    items = found if isinstance(found, list | tuple) else [found]
    return [item.state for item in items]


@pytest.fixture
def damage(installation, builds):
    """The proxy, an adapter that talks through it, and its reads."""
    base = installation.handle.base_url
    proxy = Damage(installation.sandbox.url)
    with serve(proxy) as httpd:
        through = base.replace(installation.sandbox.url, httpd.url)
        adapter = make_adapter(
            installation.slug,
            through,
            installation.handle.credential,
            **traits_of(installation.slug).options,
        )
        yield proxy, readings(adapter, installation.pipeline, builds)


def test_any_shape_is_read_or_refused_in_words(installation, damage):
    proxy, calls = damage
    chance = random.Random(SEED)
    rate = (0.01, 0.05, 0.2)
    read = 0
    for turn in range(SHAPES):
        proxy.change = lambda value, r=rate[turn % 3]: damaged(value, chance, r)
        try:
            found = states(calls[turn % len(calls)]())
        except ProviderError:
            continue
        read += 1
        assert set(found) <= set(State), f"STAGEDOOR_SEED={SEED}, turn {turn}"
    assert read > SHAPES / 20


def test_words_nobody_has_heard_of_are_unknown_and_never_green(installation, damage):
    proxy, calls = damage
    chance = random.Random(SEED)
    words = {word.lower() for word in PROVIDERS[installation.slug].states if len(word) > 2}
    for turn in range(SHAPES):
        proxy.change = lambda value: damaged(unheard_of(value, words, chance), chance, 0.01)
        try:
            found = states(calls[turn % len(calls)]())
        except ProviderError:
            continue
        assert State.PASSED not in found, f"STAGEDOOR_SEED={SEED}, turn {turn}"


def test_undamaged_answers_show_what_they_say(installation, damage, builds):
    _, calls = damage
    assert State.PASSED in states(calls[1]())
    assert State.FAILED in states(calls[2]())
    assert set(states(calls[0]())) <= {State.PASSED, State.FAILED, *MOVING}
