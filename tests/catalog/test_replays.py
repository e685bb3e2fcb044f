"""What befalls a host while it is read, replayed at three of them: the refs after are the refs
before, and exactly what the host certainly no longer has is marked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.utils import timezone

from catalog import repositories, runs, sync
from catalog.models import Entity, Repository, Source, Star, SyncRun
from tests.catalog.hosts.bitbucket import BitbucketHost
from tests.catalog.hosts.bitbucket_dc import DataCenter
from tests.catalog.hosts.forge import Forge, Pull, Question, Repo
from tests.catalog.hosts.github import GithubHost
from tests.catalog.trees import component, document, location, problems, read

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
REFERENCE = "env:STAGEDOOR_CREDENTIAL_HOST"


@dataclass
class Hosted:
    """A host with a source that reads it."""

    forge: Forge
    source: Source
    page: int  # rows of a page of the list

    def add(self, count: int, first: int = 0) -> list[Repo]:
        numbers = range(first, first + count)
        return [self.forge.add(f"acme/s{n}", {FILE: component(f"s{n}")}) for n in numbers]

    def read(self, times: int = 1) -> None:
        for _ in range(times):
            read(self.source)


def bitbucket(host: BitbucketHost) -> dict[str, object]:
    return {"kind": "bitbucket", "target": "acme", "options": {"api_url": host.api}}


def data_center(host: DataCenter) -> dict[str, object]:
    return {"kind": "bitbucket_dc", "target": host.base}


def github(host: GithubHost) -> dict[str, object]:
    return {"kind": "github", "target": host.target}


HOSTS: list[tuple[type[Forge], Callable, int]] = [
    (BitbucketHost, bitbucket, 100),
    (DataCenter, data_center, 25),
    (GithubHost, github, 100),
]


@pytest.fixture(params=HOSTS, ids=[kind.__name__ for kind, _, _ in HOSTS])
def hosted(request, settings, monkeypatch) -> Iterator[Hosted]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.CATALOG_ABSENT_AFTER_SECONDS = 0
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOST", "s3cret-token")
    kind, fields, page = request.param
    with kind().running() as forge:
        source = Source.objects.create(
            slug="acme", name="Acme", credential_ref=REFERENCE, **fields(forge)
        )
        yield Hosted(forge, source, page)


def states() -> dict[str, str]:
    return dict(Entity.objects.values_list("ref", "state"))


def active(*names: str) -> dict[str, str]:
    return {f"component:default/{name}": "active" for name in names}


def titles() -> set[str]:
    return set(Entity.objects.values_list("title", flat=True))


def test_a_storm_of_refusals_loses_nothing_and_is_made_up_for(hosted):
    repos = hosted.add(12)
    hosted.read()
    before = states()
    assert len(before) == 12
    for number, repo in enumerate(repos):
        hosted.forge.push(repo, {FILE: component(f"s{number}", {"title": "new"})})
    # Of a Data Center, each is asked for its commit and its branch first.
    some = 30 if isinstance(hosted.forge, DataCenter) else 6
    for left in (some, 0, 3):
        hosted.forge.limited_after = left
        hosted.read()
        assert states() == before
    assert "new" in titles()
    assert "" in titles()
    assert "This reading ends here with what it has" in " ".join(problems(hosted.source))
    hosted.forge.limited_after = None
    if isinstance(hosted.forge, GithubHost):
        hosted.forge.remaining = 5000
    hosted.read()
    assert states() == before
    assert titles() == {"new"}
    assert problems(hosted.source) == []


def test_a_page_of_the_list_that_fails_loses_nothing(hosted):
    hosted.add(hosted.page + 10)
    hosted.read()
    before = states()
    assert len(before) == hosted.page + 10
    for page in (2, 1):
        hosted.forge.failing_page = page
        hosted.read(times=4)
        assert states() == before
        assert problems(hosted.source)
    hosted.forge.failing_page = None
    hosted.read()
    assert states() == before
    assert problems(hosted.source) == []


def test_a_token_revoked_midway_loses_nothing(hosted):
    repos = hosted.add(8)
    hosted.read()
    before = states()
    for number, repo in enumerate(repos):
        hosted.forge.push(repo, {FILE: component(f"s{number}", {"title": "new"})})
    for left in (4, 1, 0, 0):
        hosted.forge.revoked_after = left
        hosted.read()
        assert states() == before
        assert "credential" in " ".join(problems(hosted.source))
    hosted.forge.revoked_after = None
    hosted.read()
    assert states() == before
    assert titles() == {"new"}


def test_a_renamed_repository_keeps_its_entities_and_what_hangs_on_them(hosted, django_user_model):
    (repo, _) = hosted.add(2)
    repo.pulls = [Pull(1, "One")]
    hosted.read()
    before = dict(Entity.objects.values_list("ref", "pk"))
    ana = django_user_model.objects.create_user("ana")
    Star.objects.create(user=ana, entity_ref="component:default/s0")
    row = Repository.objects.get(external_id=repo.id)
    repo.name = "payments"
    hosted.forge.touch(repo)
    hosted.read(times=2)
    assert dict(Entity.objects.values_list("ref", "pk")) == before
    assert set(states().values()) == {"active"}
    entity = Entity.objects.select_related("file__repository").get(
        pk=before["component:default/s0"]
    )
    assert entity.location == f"acme/payments/{FILE}"
    assert entity.file.repository == row
    row.refresh_from_db()
    assert row.full_name == "acme/payments"
    assert row.pull_requests.count() == 1


def test_a_few_deleted_repositories_are_marked_and_no_other(hosted):
    repos = hosted.add(12)
    hosted.read()
    hosted.forge.delete(*repos[:2])
    hosted.read()
    assert set(states().values()) == {"active"}  # said once, not believed yet
    hosted.read(times=2)
    gone = {ref for ref, state in states().items() if state == "missing"}
    assert gone == {"component:default/s0", "component:default/s1"}
    assert len(states()) == 12
    hosted.forge.repos |= {repo.id: repo for repo in repos[:2]}
    hosted.read()
    assert set(states().values()) == {"active"}


def test_a_mass_deletion_waits_for_a_person(hosted):
    repos = hosted.add(20)
    hosted.read()
    before = states()
    hosted.forge.delete(*repos[:15])
    hosted.read(times=4)
    assert states() == before
    assert (hosted.source.held["count"], hosted.source.held["of"]) == (15, 20)
    Source.objects.update(released=hosted.source.held["digest"])
    hosted.read()
    gone = {ref for ref, state in states().items() if state == "missing"}
    assert gone == {f"component:default/s{number}" for number in range(15)}
    assert states().keys() == before.keys()


def test_a_branch_renamed_midway_loses_nothing(hosted):
    repo, _ = hosted.add(2)
    hosted.read()
    before = states()
    hosted.forge.push(repo, {FILE: component("s0", {"title": "new"})})

    def rename(asked: Question) -> None:
        if repo.name in asked.parts and repo.main == "main":
            hosted.forge.rename_branch(repo, "trunk")

    hosted.forge.before = rename
    hosted.read(times=2)
    assert states() == before
    assert titles() == {"new", ""}
    assert problems(hosted.source) == []
    assert Repository.objects.get(external_id=repo.id).default_branch == "trunk"


def test_a_descriptor_that_is_deleted_is_marked_and_its_repository_stays(hosted):
    repo, _ = hosted.add(2)
    hosted.read()
    hosted.forge.push(repo, {"README.md": "x"}, remove=(FILE,))
    hosted.read()
    assert states()["component:default/s0"] == "missing"
    assert states()["component:default/s1"] == "active"
    row = Repository.objects.get(external_id=repo.id)
    assert (row.has_descriptor, row.state) == (False, "active")
    hosted.forge.push(repo, {"catalog-info.yml": component("s0")})
    hosted.read()
    assert states() == active("s0", "s1")


def test_files_that_a_location_names_follow_their_pushes(hosted):
    repo, _ = hosted.add(2)
    parts = {f"parts/{n}.yaml": component(f"part{n}") for n in range(3)}
    org = location("all", targets=["./parts/*.yaml"])
    hosted.forge.push(repo, {FILE: org, **parts})
    hosted.read(times=2)
    names = {ref.partition("/")[2] for ref, state in states().items() if state == "active"}
    assert names == {"all", "part0", "part1", "part2", "s1"}
    hosted.forge.push(repo, {"parts/3.yaml": component("part3")}, remove=("parts/0.yaml",))
    hosted.read()
    assert states()["component:default/part3"] == "active"
    assert states()["component:default/part0"] == "missing"
    assert states()["component:default/part1"] == "active"
    assert problems(hosted.source) == []


def test_a_file_that_a_placeholder_names_costs_nothing_until_it_is_pushed(hosted):
    repo, _ = hosted.add(2)
    api = document(
        "API", "pay", type="text", lifecycle="x", owner="pay", definition={"$text": "./api.txt"}
    )
    hosted.forge.push(repo, {FILE: api, "api.txt": "first"})
    hosted.read()
    hosted.forge.asked.clear()
    hosted.read()
    assert not any(path.endswith((FILE, "api.txt")) for path in hosted.forge.paths())
    hosted.forge.push(repo, {"api.txt": "second"})
    hosted.read()
    entity = Entity.objects.get(name="pay")
    assert entity.spec["definition"] == "second"
    hosted.forge.push(repo, {}, remove=("api.txt",))
    hosted.read(times=2)
    assert "pay" in " ".join(hosted.source.issues.values_list("entity_ref", flat=True))
    assert Entity.objects.get(name="pay").spec["definition"] == "second"  # the last good one


def test_a_host_without_any_descriptor_still_has_repositories(hosted):
    hosted.forge.add("acme/bare", {"README.md": "x"})
    hosted.read()
    row = Repository.objects.get()
    assert (row.full_name, row.has_descriptor) == ("acme/bare", False)


def test_an_unchanged_host_costs_few_requests(hosted):
    hosted.add(12)
    hosted.read()
    hosted.forge.asked.clear()
    hosted.read()
    each = 12 if isinstance(hosted.forge, DataCenter) else 0  # it has to be asked about each
    # A look or two for documentation comes on top.
    asked = [path for path in hosted.forge.paths() if not path.endswith("README.md")]
    assert len(asked) == 1 + each, asked


def test_a_flagged_repository_is_read_alone(hosted):
    repo, other = hosted.add(2)
    hosted.read()
    for number, one in enumerate((repo, other)):
        hosted.forge.push(one, {FILE: component(f"s{number}", {"title": f"new {number}"})})
    repositories.flag(Repository.objects.filter(external_id=repo.id), timezone.now())
    hosted.forge.asked.clear()
    ended = sync.run(runs.request(hosted.source, SyncRun.Cause.WEBHOOK, partial=True).pk)
    assert ended.state == SyncRun.State.SUCCEEDED
    assert titles() == {"new 0", ""}
    assert set(states().values()) == {"active"}
    assert not any(f"/{other.name}/" in path for path in hosted.forge.paths())
    assert not Repository.objects.exclude(flagged_at=None).exists()
    hosted.read()
    assert titles() == {"new 0", "new 1"}


def test_a_dry_run_says_what_a_reading_would_do_and_does_nothing(hosted):
    repos = hosted.add(3)
    hosted.read()
    hosted.forge.push(repos[0], {FILE: component("s0", {"title": "new"})})
    hosted.forge.push(repos[1], {"README.md": "x"}, remove=(FILE,))
    hosted.add(1, first=7)
    before = list(Repository.objects.order_by("pk").values())
    ended = sync.run(runs.request(hosted.source, SyncRun.Cause.PERSON, dry_run=True).pk)
    assert ended.plan["added"] == ["component:default/s7"]
    assert ended.plan["changed"] == ["component:default/s0"]
    assert [ref for ref, _ in ended.plan["removed"]] == ["component:default/s1"]
    assert states() == active("s0", "s1", "s2")
    assert titles() == {""}
    assert list(Repository.objects.order_by("pk").values()) == before
