"""300 triggers at all providers, workers killed at every named step, answers lost: nothing is lost
or done twice.

Every provider's sandbox counts what it carried out, by request id. One more Jenkins has a job that
does not declare the request id, so that nothing can be looked up there; its parameter TICKET tells
the test which request a build came from. A real Celery worker runs on the tests' database;
STAGEDOOR_CRASH_AT makes it kill its own processes with SIGKILL, and the test kills the whole of it
besides. tests/bench/triggers.py does the same with 10,000.
"""

import os
import random
import time
import uuid
from collections import Counter

import pytest

from pipelines.models import Build, Trigger
from pipelines.providers import PROVIDERS
from tests.pipelines.outbox_storm import (
    BLIND,
    Storm,
    ask_for_builds,
    find_fault,
    make_links,
    open_triggers,
    set_faults,
)
from tests.pipelines.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

TRIGGERS = 300
POINTS = ("before_claim", "after_claim", "after_answer", "before_record")
CRASHES_PER_POINT = 12
# Besides those: the whole worker, when so many triggers are settled.
KILL_ALL_AT = (40, 160)
# Takes about a minute on two idle cores; a crowded machine may need longer.
LIMIT_SECONDS = 420


def test_nothing_is_lost_or_started_twice(sandbox, server_at, tmp_path, capsys):
    seed = int(os.environ.get("STAGEDOOR_SEED") or uuid.uuid4().int % 1_000_000)
    with capsys.disabled():
        print(f"\ntest_outbox_kill: STAGEDOOR_SEED={seed}")
    chance = random.Random(seed)
    storm = Storm(sandbox, make_links(sandbox, server_at))
    triggers = ask_for_builds(storm, TRIGGERS, chance)
    plan = crash_plan(triggers, chance)
    set_faults(storm, seed)
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
    assert [find_fault(storm, slug) for slug in (*sorted(PROVIDERS), BLIND)] == [""] * (
        len(PROVIDERS) + 1
    )
    linked = Trigger.objects.filter(state="linked").count()
    assert Build.objects.exclude(trigger=None).count() == linked
    assert sum(counts.values()) == TRIGGERS


def crash_plan(triggers, chance):
    """Which triggers lose their worker where; as many of each server as of another."""
    by_server = {}
    for trigger in chance.sample(triggers, len(triggers)):
        by_server.setdefault(trigger.pipeline_id, []).append(trigger)
    victims = [trigger for group in zip(*by_server.values(), strict=True) for trigger in group]
    return [
        f"{point}:{victims[index * CRASHES_PER_POINT + number].pk}"
        for index, point in enumerate(POINTS)
        for number in range(CRASHES_PER_POINT)
    ]


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


def check_crashes(folder, plan):
    """Workers really died at every point. Not at each planned place: a lost answer, for example,
    is never recorded as a receipt."""
    met = Counter(path.name.split("-")[1] for path in folder.glob("crashed-*"))
    for point in POINTS:
        assert met[point] >= 2, met
    assert sum(met.values()) <= len(plan)
