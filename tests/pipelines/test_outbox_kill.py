"""200 triggers, workers killed at every named step, answers lost: nothing is lost or done twice.

One server can look a request id up (Buildkite), the other can't (a Jenkins job that does not
declare it; there the parameter TICKET tells the test which request a build came from). A real
Celery worker runs on the tests' database; STAGEDOOR_CRASH_AT makes it kill its own processes with
SIGKILL, and the test kills the whole of it besides.
"""

import os
import random
import time
import uuid
from collections import Counter

import pytest
from django.db.models import Q

from pipelines import outbox
from pipelines.models import Build, Trigger
from pipelines.outbox import MAX_LOOKUPS
from pipelines.triggers import request
from tests.pipelines.worker import Worker
from tests.pipelines.world import (
    BUILDKITE_KEY,
    JENKINS_KEY,
    confirmed_link,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)

TRIGGERS = 200
POINTS = ("before_claim", "after_claim", "after_answer", "before_record")
CRASHES_PER_POINT = 8
# Besides those: the whole worker, when so many triggers are settled.
KILL_ALL_AT = (40, 120)
FAULTS = {"lose_answer": 0.08, "drop": 0.05, "fail": 0.05, "rate_limit": 0.04}
# Takes less than a minute on two idle cores; a crowded machine may need longer.
LIMIT_SECONDS = 300


def test_nothing_is_lost_or_started_twice(sandbox, server_at, tmp_path, capsys):
    seed = int(os.environ.get("STAGEDOOR_SEED") or uuid.uuid4().int % 1_000_000)
    with capsys.disabled():
        print(f"\ntest_outbox_kill: STAGEDOOR_SEED={seed}")
    chance = random.Random(seed)
    links = make_links(sandbox, server_at)
    triggers = ask_for_builds(links, chance)
    plan = crash_plan(triggers, chance)
    set_faults(sandbox, seed)
    worker = Worker(
        tmp_path,
        STAGEDOOR_CRASH_AT=",".join(plan),
        DISPATCH_LEASE_SECONDS="3",
        RECONCILE_SECONDS="0",
    )
    try:
        run_to_the_end(worker)
    finally:
        worker.kill()
    check_crashes(tmp_path, plan)
    counts = Counter(Trigger.objects.values_list("pipeline__server__slug", "state"))
    with capsys.disabled():
        print(f"{len(plan)} planned kills, {len(KILL_ALL_AT)} of the whole worker: {dict(counts)}")
    check_buildkite(sandbox)
    check_jenkins(sandbox)
    assert Build.objects.exclude(trigger=None).count() == in_state("linked").count()
    assert sum(counts.values()) == TRIGGERS


# --- Making ready -----------------------------------------------------------------------------
def make_links(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop", keep_builds=10_000)
    sandbox.jenkins.pipeline("shop", parameters=["TICKET"], keep_builds=10_000)
    found = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    blind = make_pipeline(
        server_at(sandbox.jenkins),
        "shop",
        default_branch="",
        parameters=[{"name": "TICKET", "type": "string", "default": ""}],
    )
    # Named in their descriptors, since the worker also links the catalog anew.
    annotations = ({BUILDKITE_KEY: "acme/shop"}, {JENKINS_KEY: "shop"})
    return [
        confirmed_link(make_service(f"shop-{number}", named), pipeline)
        for number, (named, pipeline) in enumerate(zip(annotations, (found, blind), strict=True))
    ]


def ask_for_builds(links, chance):
    user = make_person("ana", "deployer")
    triggers = []
    for position in range(TRIGGERS):
        link = links[position % 2]
        request_id = uuid.UUID(int=chance.getrandbits(128), version=4)
        ticket = {"TICKET": str(request_id)} if link.pipeline.parameters else {}
        outcome = request(
            user,
            "start",
            entity=link.entity,
            pipeline=link.pipeline,
            parameters=ticket,
            request_id=request_id,
        )
        triggers.append(outcome.trigger)
    return triggers


def crash_plan(triggers, chance):
    """Which triggers lose their worker where; as many of one server as of the other."""
    halves = [chance.sample(triggers[start::2], TRIGGERS // 2) for start in (0, 1)]
    victims = [trigger for pair in zip(*halves, strict=True) for trigger in pair]
    return [
        f"{point}:{victims[index * CRASHES_PER_POINT + number].pk}"
        for index, point in enumerate(POINTS)
        for number in range(CRASHES_PER_POINT)
    ]


def set_faults(sandbox, seed):
    for handle in (sandbox.buildkite, sandbox.jenkins):
        for number, (kind, probability) in enumerate(FAULTS.items()):
            handle.fault(kind, "write", probability=probability, seed=seed + number, seconds=1)


# --- Running ----------------------------------------------------------------------------------
def run_to_the_end(worker):
    """Runs the worker until no trigger waits for anything, killing and restarting it twice."""
    kills = list(KILL_ALL_AT)
    deadline = time.monotonic() + LIMIT_SECONDS
    worker.start()
    while left := open_triggers():
        assert time.monotonic() < deadline, f"not settled in time:\n{worker.log[-5000:]}"
        if kills and TRIGGERS - left >= kills[0]:
            kills.pop(0)
            worker.kill()
        if not worker.running:
            worker.start()
        time.sleep(0.3)
    assert not kills


def open_triggers():
    """How many still wait for something that the portal does by itself."""
    given_up = Q(state="uncertain", lookups__gte=MAX_LOOKUPS)
    return Trigger.objects.exclude(Q(state__in=outbox.SETTLED) | given_up).count()


def in_state(*states):
    return Trigger.objects.filter(state__in=states)


# --- Judging ----------------------------------------------------------------------------------
def check_crashes(folder, plan):
    """Workers really died at every point. Not at each planned place: a lost answer, for example,
    is never recorded as a receipt."""
    met = Counter(path.name.split("-")[1] for path in folder.glob("crashed-*"))
    for point in POINTS:
        assert met[point] >= 2, met
    assert sum(met.values()) <= len(plan)


def ids_of(slug, state):
    rows = in_state(state).filter(pipeline__server__slug=slug)
    return {str(request_id) for request_id in rows.values_list("request_id", flat=True)}


def check_buildkite(sandbox):
    """What the server did and what the portal says are the same, request id by request id."""
    started = Counter(entry.request_id for entry in sandbox.accepted("buildkite"))
    assert max(started.values()) == 1
    assert set(started) == ids_of("buildkite", "linked")
    assert ids_of("buildkite", "uncertain") == set()
    assert len(started) + len(ids_of("buildkite", "failed")) == TRIGGERS // 2


def check_jenkins(sandbox):
    """Without look-up some stay uncertain; what the portal does say is true."""
    sandbox.advance(600)
    started = Counter(build.parameters["TICKET"] for build in sandbox.jenkins.builds("shop"))
    linked, failed, uncertain = (
        ids_of("jenkins", state) for state in ("linked", "failed", "uncertain")
    )
    assert max(started.values()) == 1
    assert linked <= set(started)
    assert not failed & set(started)
    assert set(started) <= linked | uncertain
    assert len(linked) + len(failed) + len(uncertain) == TRIGGERS // 2
    tickets = Build.objects.filter(pipeline__server__slug="jenkins", trigger__isnull=False)
    assert {str(build.trigger.request_id) for build in tickets} == linked
