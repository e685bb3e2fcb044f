"""Approve, change, withdraw, revoke and dispatch at the same time, one step at a time, by chance.

Each is a thread that stops at every named step; a schedule drawn by chance lets one of them go on.
Who waits for another's lock is passed over, as on a real day. Shared by test_approval_races.py and
tests/bench/approvals.py.
"""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection, transaction

from pipelines import approvals, dispatch, settling
from pipelines.effects import Effect
from pipelines.fingerprints import fingerprint
from pipelines.models import (
    Approval,
    Environment,
    EnvironmentRule,
    Pipeline,
    PipelineLink,
    Trigger,
)
from pipelines.triggers import request
from tests.pipelines.sandbox_fixture import SandboxHandle
from tests.pipelines.world import make_person

# Seconds after which a thread that was let go counts as waiting for another's lock.
PATIENCE = 0.04
STUCK = 60.0
PARAMETERS = [{"name": "REGION", "type": "string", "default": "eu"}]
Work = Callable[[], None]


class Turns:
    """Threads that go on by turns; `chance` says whose turn it is."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.trace: list[tuple[str, str]] = []
        self.failures: list[BaseException] = []
        self._changed = threading.Condition()
        self._at: dict[str, str] = {}  # "" while it moves
        self._turn = ""
        self._mine = threading.local()

    def step(self, point: str) -> None:
        """A thread's own word that it is there; it goes on when its turn comes."""
        name = getattr(self._mine, "name", "")
        if not name:
            return
        with self._changed:
            self._at[name] = point
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn == name)
            self._turn, self._at[name] = "", ""
            self.trace.append((name, point))

    def run(self, works: dict[str, Work]) -> None:
        """All of them, to their ends."""
        self._at = dict.fromkeys(works, "")
        threads = [threading.Thread(target=self._one, args=item) for item in works.items()]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + STUCK
        with self._changed:
            while set(self._at.values()) != {"done"}:
                assert time.monotonic() < deadline, f"stuck: {self._at} after {self.trace}"
                self._let_one_go()
        for thread in threads:
            thread.join()

    def _one(self, name: str, work: Work) -> None:
        self._mine.name = name
        try:
            self.step("begin")
            work()
        except BaseException as error:
            self.failures.append(error)
        finally:
            connection.close()
            with self._changed:
                self._at[name] = "done"
                self._changed.notify_all()

    def _let_one_go(self) -> None:
        ready = sorted(name for name, point in self._at.items() if point not in ("", "done"))
        if not ready:
            self._changed.wait(PATIENCE)
            return
        name = self.chance.choice(ready)
        self._turn = name
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._turn == "" and self._at[name] != "", PATIENCE)


class Stage:
    """One service whose runs need approval, its people, and what can happen to a request."""

    def __init__(self, sandbox: SandboxHandle, link: PipelineLink) -> None:
        self.sandbox, self.link = sandbox, link
        self.people = {name: make_person(name, "deployer") for name in ("ana", "ben", "cleo")}
        self.production = Environment.objects.get(slug="production")
        self.staging = Environment.objects.get(slug="staging")
        self.outcomes: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []

    def play(self, seed: int) -> str:
        """One request and one schedule; what was wrong with what was sent, "" if nothing."""
        chance = random.Random(seed)
        needed = chance.choice([1, 1, 2])
        trigger = self._ask(needed, chance)
        turns = self.turns = Turns(chance)
        works = self._works(trigger, chance, needed)
        turns.run(works)
        if turns.failures:
            raise AssertionError(f"seed {seed}: {turns.trace}") from turns.failures[0]
        dispatch.dispatch(trigger.pk)
        trigger.refresh_from_db()
        fault = self._judge(trigger, needed)
        self.outcomes["sent" if self._sent(trigger) else trigger.state] += 1
        return f"seed {seed}: {fault}; {turns.trace}; {self.log}" if fault else ""

    def reached(self, point: str, key: object) -> None:
        """In place of portal.crashpoints.reached: the steps between which a schedule decides."""
        if point == "after_claim":
            self.log.append(("deciding", ""))
        self.turns.step(point)

    def _ask(self, needed: int, chance: random.Random) -> Trigger:
        """Everything as at the beginning, and a new request."""
        Trigger.objects.filter(state__in=("awaiting", "queued")).update(state="withdrawn")
        EnvironmentRule.objects.filter(order=1).delete()
        Pipeline.objects.update(parameters=PARAMETERS)
        Environment.objects.filter(pk=self.production.pk).update(approvals=needed)
        for name, user in self.people.items():
            user.groups.set([Group.objects.get(name=f"idp:{name}s")])
        self.link.pipeline.refresh_from_db()
        self.log = []
        outcome = request(
            self.people["ana"],
            "start",
            entity=self.link.entity,
            pipeline=self.link.pipeline,
            branch="main",
            commit=f"{chance.getrandbits(160):040x}",
            parameters={"REGION": chance.choice(["eu", "us"])},
            request_id=uuid.UUID(int=chance.getrandbits(128), version=4),
        )
        assert outcome.trigger is not None, outcome
        return outcome.trigger

    def _works(self, trigger: Trigger, chance: random.Random, needed: int) -> dict[str, Work]:
        """Enough people who approve, two workers, and some of what may get in between."""
        others: dict[str, Work] = {
            "withdraw": lambda: self._withdraw(trigger),
            "refuse": lambda: self._give("cleo", trigger, "refuse"),
            "revoke ana": lambda: self._revoke("ana"),
            "revoke ben": lambda: self._revoke("ben"),
            "rule": lambda: self._change("changed", self._new_rule),
            "parameters": lambda: self._change("changed", self._new_parameters),
            "raise": lambda: self._change("raised", self._more_approvals),
        }
        works: dict[str, Work] = {
            "approve ben": lambda: self._give("ben", trigger),
            "worker 1": lambda: self._send(trigger),
            "worker 2": lambda: self._send(trigger),
        }
        if needed > 1 or chance.random() < 0.3:
            works["approve cleo"] = lambda: self._give("cleo", trigger)
        for name in chance.sample(sorted(others), chance.choice([0, 1, 1, 2])):
            works[name] = others[name]
        return works

    # --- What happens ---------------------------------------------------------------------------
    def _give(self, name: str, trigger: Trigger, verdict: str = "approve") -> None:
        seen = trigger.fingerprint
        if not approvals.give(self.people[name], trigger, verdict, comment="Now.", seen=seen):
            self.log.append((verdict, name))

    def _send(self, trigger: Trigger) -> None:
        for _ in range(4):
            dispatch.dispatch(trigger.pk)

    def _withdraw(self, trigger: Trigger) -> None:
        row = Trigger.objects.get(pk=trigger.pk)
        self.turns.step("looked")
        if not settling.withdraw(self.people["ana"], row):
            self.log.append(("withdrawn", "ana"))

    def _revoke(self, name: str) -> None:
        user = User.objects.get(pk=self.people[name].pk)
        with transaction.atomic():
            user.groups.clear()
            self.turns.step("cleared")
        self.log.append(("revoked", name))

    def _change(self, word: str, work: Work) -> None:
        with transaction.atomic():
            work()
            self.turns.step("written")
        self.log.append((word, ""))

    def _new_rule(self) -> None:
        EnvironmentRule.objects.create(order=1, branch="main", environment=self.staging)

    def _new_parameters(self) -> None:
        more = {"name": "DRY_RUN", "type": "boolean", "default": "true"}
        Pipeline.objects.filter(pk=self.link.pipeline_id).update(parameters=[*PARAMETERS, more])

    def _more_approvals(self) -> None:
        Environment.objects.filter(pk=self.production.pk).update(approvals=3)

    # --- Whether that was right -----------------------------------------------------------------
    def _sent(self, trigger: Trigger) -> list[Any]:
        accepted = self.sandbox.accepted("buildkite", "start")
        return [entry for entry in accepted if entry.request_id == str(trigger.request_id)]

    def _judge(self, trigger: Trigger, needed: int) -> str:
        """What the vendor got, against what people approved and what had happened before the
        decision to send it began."""
        sent = self._sent(trigger)
        if not sent:
            return ""
        if len(sent) > 1:
            return "sent twice"
        before = self.log[: max(i for i, (word, _) in enumerate(self.log) if word == "deciding")]
        words = {word for word, _ in before}
        late = words & {"withdrawn", "refuse", "changed", "raised"}
        if late:
            return f"sent after it was {late}"
        revoked = {name for word, name in before if word == "revoked"}
        if "ana" in revoked:
            return "sent for somebody who may not"
        bound = self._fingerprint(trigger)
        yes = Approval.objects.filter(trigger=trigger, verdict="approve", fingerprint=bound)
        people = {row.approver.username for row in yes.select_related("approver")}
        if len(people - revoked - {"ana"}) < needed:
            return f"sent with the approvals of {people - revoked}"
        return ""

    def _fingerprint(self, trigger: Trigger) -> str:
        """Of what arrived at the vendor, whatever our row says."""
        builds = self.sandbox.buildkite.builds(self.link.pipeline.external_id)
        build = next(
            build
            for build in builds
            if build.env["STAGEDOOR_REQUEST_ID"] == str(trigger.request_id)
        )
        given = {key: value for key, value in build.env.items() if "STAGEDOOR" not in key}
        where = Environment.objects.get(slug=build.env["STAGEDOOR_ENVIRONMENT"])
        return fingerprint(trigger, Effect(build.branch, given, where, commit=build.commit))
