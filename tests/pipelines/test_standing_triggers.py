"""Standing triggers: asked for in a person's name, decided anew, ended with their access."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import RequestFactory
from django.utils import timezone

from catalog.models import Source
from pipelines import standing_triggers
from pipelines.models import Environment, EnvironmentRule, StandingTrigger, Trigger
from pipelines.standing_triggers import Wish, cron_problem, due, end, fire, may_end, next_run
from portal.models import AuditEvent, Identity, RoleMapping
from tests.catalog.gitserver import Repo, git_server
from tests.pipelines.together import together
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@pytest.fixture
def link():
    make_environments()
    return confirmed_link(make_service("shop"), make_pipeline(make_server(), "acme/shop"))


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def set_up(user, link, **wish):
    values = {"branch": "main", "parameters": {}, "when": "schedule", "cron": "30 6 * * mon-fri"}
    return standing_triggers.create(
        user, link, Wish(**{**values, **wish}), RequestFactory().post("/")
    )


def make_due(standing, now=None):
    StandingTrigger.objects.filter(pk=standing.pk).update(next_at=now or timezone.now())
    return standing.pk


def test_a_schedule_asks_in_its_owners_name_each_time(link, ana):
    standing = set_up(ana, link).standing
    first = fire(make_due(standing), timezone.now())
    second = fire(make_due(standing), timezone.now())
    assert first.pk != second.pk
    trigger = Trigger.objects.get(pk=first.pk)
    assert (trigger.actor, trigger.branch, trigger.standing) == (ana, "main", standing)
    standing.refresh_from_db()
    assert standing.next_at > timezone.now()


def test_a_firing_that_is_repeated_is_one_request(link, ana):
    pk, now = set_up(ana, link).standing.pk, timezone.now()
    StandingTrigger.objects.update(next_at=now)
    fire(pk, now)
    StandingTrigger.objects.update(next_at=now)  # as if the worker had died before it noted that
    assert fire(pk, now) is None
    assert Trigger.objects.count() == 1


def test_nothing_fires_before_its_time(link, ana):
    standing = set_up(ana, link).standing
    assert due(timezone.now(), 10) == []
    assert fire(standing.pk, timezone.now()) is None


def test_what_is_long_overdue_is_left_out(link, ana):
    standing = set_up(ana, link).standing
    now = timezone.now()
    assert fire(make_due(standing, now - timedelta(hours=2)), now) is None
    standing.refresh_from_db()
    assert (standing.next_at > now, standing.ended_at) == (True, None)
    assert "No worker was there" in standing.problem


def test_it_dies_with_values_that_the_pipeline_no_longer_takes(link, ana):
    standing = set_up(ana, link).standing
    StandingTrigger.objects.update(branch="refs/heads/main")
    assert fire(make_due(standing), timezone.now()) is None
    standing.refresh_from_db()
    assert standing.ended_at is not None


def test_a_commit_that_nobody_knows_now_is_waited_for(link, ana):
    Environment.objects.update(approvals=1)
    standing = set_up(ana, link).standing
    assert fire(make_due(standing), timezone.now()) is None
    standing.refresh_from_db()
    assert standing.ended_at is None


def test_it_dies_with_its_owners_right(link, ana):
    standing = set_up(ana, link).standing
    RoleMapping.objects.all().delete()
    assert fire(make_due(standing), timezone.now()) is None
    standing.refresh_from_db()
    assert "may no longer do this" in standing.ended_reason
    assert AuditEvent.objects.get(action="standing.end").data["standing"] == standing.pk
    assert not Trigger.objects.exists()


def test_it_pauses_while_nobody_confirms_its_owners_groups(link, ana):
    identity = Identity.objects.create(
        issuer="i", subject="ana", user=ana, confirmed_at=timezone.now()
    )
    standing = set_up(ana, link).standing
    aged = timezone.now() - timedelta(days=settings.GROUPS_MAX_AGE_DAYS, minutes=1)
    Identity.objects.update(confirmed_at=aged)
    assert fire(make_due(standing), timezone.now()) is None
    event = AuditEvent.objects.get(action="build.start")
    assert (event.outcome, event.rule) == ("denied", "groups-incomplete")
    identity.confirmed_at = timezone.now()
    identity.save()
    assert fire(make_due(standing), timezone.now()) is not None


def test_it_dies_with_its_owners_account(link, ana):
    standing = set_up(ana, link).standing
    ana.is_active = False
    ana.save()
    fire(make_due(standing), timezone.now())
    standing.refresh_from_db()
    assert standing.ended_at is not None


def test_others_approve_each_firing_where_the_environment_asks_for_it(link, ana):
    Environment.objects.update(approvals=1, allow_unpinned=True)
    standing = set_up(ana, link).standing
    trigger = fire(make_due(standing), timezone.now())
    assert trigger.state == Trigger.State.AWAITING


def test_what_may_not_be_asked_for_is_not_set_up(link):
    outcome = set_up(make_person("vic", "viewer"), link)
    assert outcome.standing is None
    assert outcome.decision.rule == "permission"


@pytest.mark.parametrize(
    ("cron", "word"),
    [
        ("", "five fields"),
        ("nonsense", "five fields"),
        ("99 * * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("* * * * *", "At most every five minutes"),
        ("0-51 * * * *", "At most every five minutes"),
        ("0,30 6,7 * * *", ""),
        ("0,58 * * * *", "At most every five minutes"),
        ("0,58 0,23 1 * *", "At most every five minutes"),
        ("2,58 6 * * *", ""),
        ("30 6 * * mon-fri", ""),
        ("*/5 * * * *", ""),
    ],
)
def test_a_schedule_that_is_none_is_told(cron, word):
    for seconds in (0, 50 * 60 + 30):  # whenever it is sent
        problem = cron_problem(cron, MONDAY + timedelta(seconds=seconds))
        assert word in problem
        assert bool(problem) == bool(word)


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_for_forms_that_are_sent_at_once(link, ana, monkeypatch):
    monkeypatch.setattr(standing_triggers, "MAX_LIVE", 1)
    outcomes = together(*[lambda: set_up(ana, link)] * 12)
    assert sum(one.standing is not None for one in outcomes) == 1
    assert StandingTrigger.objects.count() == 1


def test_a_schedule_is_in_utc():
    assert next_run("30 6 * * mon-fri", MONDAY) == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    friday = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)
    assert next_run("30 6 * * mon-fri", friday) == datetime(2026, 11, 30, 6, 30, tzinfo=UTC)


class TestAfter:
    """After an environment has passed."""

    @pytest.fixture
    def staging(self, link):
        EnvironmentRule.objects.all().delete()
        return Environment.objects.get(slug="staging")

    def passed(self, link, environment, number=1, *, pipeline=None, asked=None, **fields):
        pipeline = pipeline or link.pipeline
        trigger = Trigger.objects.create(
            action="start", pipeline=pipeline, entity=link.entity, environment=environment,
            actor_name="Ana", **(asked or {}),
        )  # fmt: skip
        values = {"commit": "a" * 40, "finished_at": timezone.now(), **fields}
        return make_build(pipeline, number, trigger=trigger, **values)

    def test_a_build_that_passed_there_is_followed_once_with_its_commit(self, link, ana, staging):
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        self.passed(link, staging)
        trigger = fire(standing.pk, timezone.now())
        assert (trigger.branch, trigger.commit) == ("main", "a" * 40)
        assert fire(make_due(standing), timezone.now()) is None

    @pytest.mark.parametrize(("hours_ago", "followed"), [(0.1, True), (7, False)])
    def test_after_a_time_without_workers_it_counts_when_the_build_passed(
        self, link, ana, staging, hours_ago, followed
    ):
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        now = timezone.now()
        StandingTrigger.objects.update(created_at=now - timedelta(days=1))
        self.passed(link, staging, finished_at=now - timedelta(hours=hours_ago))
        trigger = fire(make_due(standing, now - timedelta(hours=8)), now)
        assert (trigger is not None) == followed
        standing.refresh_from_db()
        assert standing.problem == ""

    def test_other_builds_start_nothing(self, link, ana, staging):
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        self.passed(link, Environment.objects.get(slug="production"), 1)
        self.passed(link, staging, 2, state="failed")
        self.passed(link, staging, 3, finished_at=standing.created_at - timedelta(hours=1))
        make_build(link.pipeline, 4, finished_at=timezone.now())
        self.passed(link, staging, 5, branch="feature/evil")
        self.passed(link, staging, 6, pipeline=make_pipeline(link.pipeline.server, "acme/other"))
        self.passed(link, staging, 7, asked={"commit": "a" * 40})  # typed by hand: of any branch
        assert fire(standing.pk, timezone.now()) is None

    def test_a_pipeline_of_the_same_repository_is_followed(self, link, ana, staging):
        link.pipeline.repository = "https://git.example/acme/shop"
        link.pipeline.save()
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        where = {"repository": link.pipeline.repository}
        check = make_pipeline(link.pipeline.server, "acme/shop-check", **where)
        confirmed_link(link.entity, check)
        self.passed(link, staging, pipeline=check)
        assert fire(standing.pk, timezone.now()).commit == "a" * 40

    @pytest.mark.parametrize(
        ("address", "same"),
        [("git@git.example:acme/shop.git", True), ("https://git.example/acme/other", False)],
    )
    def test_a_repository_is_the_same_however_it_is_written(
        self, link, ana, staging, address, same
    ):
        link.pipeline.repository = "https://git.example/acme/shop"
        link.pipeline.save()
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        check = make_pipeline(link.pipeline.server, "acme/shop-check", repository=address)
        confirmed_link(link.entity, check)
        self.passed(link, staging, pipeline=check)
        assert (fire(standing.pk, timezone.now()) is not None) == same

    def test_its_commit_is_not_typed_by_hand(self, link, ana, staging):
        Environment.objects.exclude(pk=staging.pk).update(protected_branches="main")
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        self.passed(link, staging)
        assert fire(standing.pk, timezone.now()).commit == "a" * 40

    def test_standing_triggers_do_not_start_each_other(self, link, ana, staging):
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        other = set_up(ana, link).standing
        self.passed(link, staging, asked={"standing": other})
        assert fire(standing.pk, timezone.now()) is None
        production = Environment.objects.get(slug="production")
        outcome = set_up(ana, link, when="after", cron="", after=production)
        assert "Production itself" in outcome.errors["after"]

    def test_what_was_denied_once_is_not_asked_for_again_and_again(self, link, ana, staging):
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        self.passed(link, staging)
        link.pipeline.server.enabled = False
        link.pipeline.server.save()
        for _ in range(3):
            fire(make_due(standing), timezone.now())
        assert AuditEvent.objects.filter(action="build.start", outcome="denied").count() == 1
        standing.refresh_from_db()
        assert standing.ended_at is None

    def test_an_environment_has_to_be_named(self, link, ana):
        outcome = set_up(ana, link, when="after", cron="")
        assert outcome.errors == {"after": "Say after which environment."}


class TestAgain:
    """What could not be asked for, since the repository's host did not tell the newest commit."""

    AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)

    @pytest.fixture
    def source(self, link, tmp_path, settings):
        settings.OUTGOING_ALLOW = ["127.0.0.1"]
        Environment.objects.update(approvals=1)
        link.pipeline.repository = "http://127.0.0.1/acme/shop.git"
        link.pipeline.save()
        down = "http://127.0.0.1:9/acme/shop.git"
        return Source.objects.create(slug="git", name="Git", kind="git", target=down)

    @pytest.fixture
    def host(self, source, tmp_path):
        Repo(tmp_path / "acme" / "shop.git").commit({"README.md": "x"})
        with git_server(tmp_path) as server:
            yield f"{server.url}/acme/shop.git"

    def set_up(self, ana, link, **wish):
        standing = set_up(ana, link, **wish).standing
        make_due(standing, self.AT)
        return standing

    def again(self, standing):
        """When its time has come once more."""
        standing.refresh_from_db()
        trigger = fire(standing.pk, standing.next_at)
        standing.refresh_from_db()
        return trigger

    def test_a_firing_is_tried_again_until_it_works_and_is_one_request(
        self, link, ana, source, host
    ):
        standing = self.set_up(ana, link)
        assert self.again(standing) is None
        assert fire(standing.pk, self.AT) is None  # another worker, of the same moment
        standing.refresh_from_db()
        assert (standing.tries, standing.next_at) == (1, self.AT + timedelta(seconds=30))
        assert standing.problem.startswith("Others approve one commit")
        assert self.again(standing) is None
        assert (standing.tries, standing.next_at) == (2, self.AT + timedelta(seconds=90))
        source.target = host
        source.save()
        assert self.again(standing).state == "awaiting"
        assert (standing.firing, standing.tries, standing.problem) == ("", 0, "")
        assert standing.next_at == self.AT + timedelta(days=1)

    def test_asked_for_by_another_worker_it_is_not_asked_for_anew(self, link, ana, source, host):
        standing = self.set_up(ana, link)
        assert self.again(standing) is None
        source.target = host
        source.save()
        before = {"next_at": standing.next_at, "firing": standing.firing, "tries": 1}
        assert self.again(standing) is not None
        StandingTrigger.objects.update(**before)  # as if that worker had died before it noted that
        assert self.again(standing) is None
        assert Trigger.objects.count() == 1
        assert (standing.tries, standing.problem) == (0, "")

    def test_it_is_given_up_after_an_hour_and_its_owner_reads_why(self, link, ana, source):
        standing = self.set_up(ana, link)
        for _ in range(8):
            assert self.again(standing) is None
        assert standing.problem.startswith("Given up for 23 November, 07:33 UTC. Others approve")
        assert (standing.firing, standing.ended_at) == ("", None)
        assert standing.next_at == self.AT + timedelta(days=1)
        event = AuditEvent.objects.get(action="standing.missed")
        assert (event.outcome, event.on_behalf_of) == ("failed", "ana")

    def test_its_next_time_comes_first(self, link, ana, source):
        standing = self.set_up(ana, link, cron="*/5 * * * *")
        for _ in range(4):
            self.again(standing)
        assert standing.next_at == self.AT + timedelta(minutes=5)
        assert standing.problem.startswith("Given up")

    def test_a_build_that_passed_is_not_lost(self, link, ana, source, host):
        EnvironmentRule.objects.all().delete()
        staging = Environment.objects.get(slug="staging")
        link.pipeline.server.provider = "jenkins"  # which takes no commit
        link.pipeline.server.save()
        Environment.objects.update(allow_unpinned=False)
        standing = set_up(ana, link, when="after", cron="", after=staging).standing
        build = TestAfter().passed(link, staging)
        now = timezone.now()
        assert fire(standing.pk, now) is None
        standing.refresh_from_db()
        assert (standing.firing, standing.answered) == (f"build {build.pk}", None)
        Environment.objects.update(allow_unpinned=True)
        assert self.again(standing).state == "awaiting"
        assert standing.answered == build
        assert self.again(standing) is None


def test_its_owner_ends_it_and_who_settles_requests(link, ana):
    standing = set_up(ana, link).standing
    assert may_end(ana, standing)
    assert may_end(make_person("adam", "admin"), standing)
    assert not may_end(make_person("bea", "deployer"), standing)
    assert end(standing, "Enough.", ana)
    assert not end(standing, "Again.", ana)
