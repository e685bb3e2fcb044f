"""Which commit is approved: asked from real git and from hosts as they answer, or nobody's word."""

import pytest
from django.utils import timezone

from catalog.models import Repository, Source
from catalog.repositories import record
from catalog.sources import SourceSpec, reader_for
from catalog.sources.web_urls import parse_repository
from pipelines.commits import pin
from pipelines.dispatch import dispatch
from pipelines.effects import Effect
from pipelines.models import Environment, Trigger
from tests.catalog.gitserver import Repo, git_server
from tests.catalog.hosts.bitbucket import BitbucketHost
from tests.catalog.hosts.bitbucket_dc import DataCenter
from tests.catalog.hosts.github import GithubHost
from tests.pipelines.four_eyes import approve, ask, make_guarded
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)

COMMIT = "c" * 40
FILES = {"README.md": "x"}


@pytest.fixture(autouse=True)
def outgoing(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOST", "s3cret-token")


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "acme" / "shop.git")


@pytest.fixture
def clone(repo, tmp_path):
    """A source that is a clone of the repository, over http."""
    with git_server(tmp_path) as server:
        target = f"{server.url}/acme/shop.git"
        yield Source.objects.create(slug="git", name="Git", kind="git", target=target)


def pipeline_of(repository, provider="buildkite", name="acme/shop"):
    server = make_server(provider, provider)
    return make_pipeline(server, name, repository=repository)


def found(pipeline, branch="main", action="start", commit=""):
    return pin(action, pipeline, Effect(branch, {}, None, commit=commit))


# --- From the repository ----------------------------------------------------------------------
def test_the_newest_commit_of_a_branch_is_asked_from_git_at_this_moment(repo, clone):
    pipeline = pipeline_of(clone.target)
    first = repo.commit(FILES)
    assert found(pipeline).commit == first
    second = repo.commit({"README.md": "y"})
    other = repo.commit(FILES, "feature/x")
    assert (found(pipeline).commit, found(pipeline).unpinned) == (second, False)
    assert found(pipeline, "feature/x").commit == other


def test_a_branch_that_is_not_there_is_said(repo, clone):
    repo.commit(FILES)
    pinned = found(pipeline_of(clone.target), "gone")
    assert (pinned.commit, pinned.unpinned) == ("", True)
    assert "Give the commit's whole id." in pinned.why


@pytest.mark.parametrize("branch", ["--upload-pack=x", "-h", "a..b", "x:y"])
def test_a_branch_that_git_could_misread_is_not_asked_for(repo, clone, branch):
    repo.commit(FILES)
    assert found(pipeline_of(clone.target), branch).commit == ""


HOSTS = {
    "github": (GithubHost, lambda host: {"target": host.target}),
    "bitbucket_dc": (DataCenter, lambda host: {"target": host.base}),
    "bitbucket": (
        BitbucketHost,
        lambda host: {"target": "acme", "options": {"api_url": host.api}},
    ),
}


@pytest.fixture(params=HOSTS)
def hosted(request, monkeypatch):
    """A host with one repository that a source has listed: (the host, the repository, its row)."""
    kind, told = HOSTS[request.param]
    with kind().running() as host:
        monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOST", host.token)
        reference = "env:STAGEDOOR_CREDENTIAL_HOST"
        values = {"kind": request.param, "credential_ref": reference, **told(host)}
        source = Source.objects.create(slug="host", name="Host", **values)
        repo = host.add("shop", FILES)
        spec = SourceSpec(source.kind, source.target, reference, source.options)
        listed = reader_for(spec).roots().repositories
        record(source, listed, True, timezone.now())
        yield host, repo, Repository.objects.get()


def clone_of(row):
    """What a CI server says that it builds."""
    known = parse_repository(row.url)
    return known.clone if known else f"{row.url}.git"


def test_the_host_of_the_repository_is_asked(hosted):
    host, repo, row = hosted
    pipeline = pipeline_of(clone_of(row))
    newest = host.push(repo, {"README.md": "y"})
    assert row.head_commit != newest
    assert found(pipeline).commit == newest
    assert found(pipeline, "gone").unpinned


def test_no_other_hosts_repository_of_that_name_is_believed(hosted):
    _, _, row = hosted
    pipeline = pipeline_of(f"https://elsewhere.example/{row.full_name}.git")
    assert "No catalog source reads the repository" in found(pipeline).why
    Repository.objects.update(state="gone")
    pipeline.repository = clone_of(row)
    assert "No catalog source reads the repository" in found(pipeline).why


def test_a_name_that_two_hosts_have_is_nobodys(repo, clone):
    for number, host in enumerate(["https://a.example", "https://b.example"]):
        source = Source.objects.create(slug=f"s{number}", name="S", kind="github", target=host)
        Repository.objects.create(
            source=source, external_id="1", full_name="acme/shop", url=f"{host}/acme/shop"
        )
    assert "No catalog source reads" in found(pipeline_of("", "drone")).why


def test_a_host_that_fails_is_said_and_nothing_is_believed(clone, monkeypatch):
    Source.objects.update(target="http://127.0.0.1:9/acme/shop.git")
    pinned = found(pipeline_of("http://127.0.0.1:9/acme/shop.git"))
    assert (pinned.commit, pinned.unpinned) == ("", True)


# --- From what is known -----------------------------------------------------------------------
def test_a_commit_that_was_asked_for_is_the_one():
    assert found(pipeline_of(""), commit=COMMIT).commit == COMMIT


@pytest.mark.parametrize("action", ["retry", "promote"])
def test_a_retry_and_a_promotion_are_of_their_builds_commit(action):
    pipeline = pipeline_of("", "drone")
    assert found(pipeline, action=action, commit=COMMIT) == found(pipeline, commit=COMMIT)
    assert "not known" in found(pipeline, action=action).why


@pytest.mark.parametrize("action", ["unblock", "activate", "cancel"])
def test_what_starts_nothing_new_is_as_it_is(action):
    assert not found(pipeline_of("", "jenkins"), action=action).unpinned


def test_jenkins_can_not_be_told(repo, clone):
    newest = repo.commit(FILES)
    pinned = found(pipeline_of(clone.target, "jenkins"))
    assert pinned.commit == newest
    assert pinned.why == "Jenkins can't be told which commit to build."


# --- Four eyes with it ------------------------------------------------------------------------
def test_a_request_is_bound_to_the_commit_of_that_moment(repo, clone, sandbox, server_at):
    make_guarded()
    ana, ben = make_person("ana", "deployer"), make_person("ben", "deployer")
    sandbox.buildkite.pipeline("acme/shop")
    server = server_at(sandbox.buildkite)
    pipeline = make_pipeline(server, "acme/shop", repository=clone.target)
    link = confirmed_link(make_service("shop"), pipeline)
    commit = repo.commit(FILES)
    first = ask(ana, link, commit="")
    repo.commit({"README.md": "evil"})
    again = ask(ana, link, commit="", request_id=first.trigger.request_id)
    assert (again.trigger, again.created) == (first.trigger, False)
    assert approve(ben, first.trigger) == ""
    dispatch(first.trigger.pk)
    assert sandbox.buildkite.builds("acme/shop")[0].commit == commit


def test_what_can_not_be_pinned_is_refused_unless_the_environment_allows_it(repo, clone):
    make_guarded()
    link = confirmed_link(make_service("shop"), pipeline_of(clone.target, "jenkins", "job"))
    commit = repo.commit(FILES)
    ana = make_person("ana", "deployer")
    refused = ask(ana, link, commit="")
    assert refused.trigger is None
    assert refused.errors == {
        "": "Others approve one commit for Production. Jenkins can't be told which commit to build."
    }
    Environment.objects.update(allow_unpinned=True)
    trigger = ask(ana, link, commit="").trigger
    assert (trigger.unpinned, trigger.commit) == (True, commit)


def test_nobody_without_the_right_makes_the_portal_ask_a_host(repo, clone):
    """And nobody does where nobody has to approve."""
    make_guarded()
    link = confirmed_link(make_service("shop"), pipeline_of(clone.target))
    Source.objects.update(target="http://127.0.0.1:9/acme/shop.git")
    assert ask(make_person("vera", "viewer"), link, commit="").decision.rule == "permission"
    Environment.objects.update(approvals=0)
    assert ask(make_person("ana", "deployer"), link, commit="").trigger.commit == ""


def test_a_retry_of_a_build_without_a_whole_commit_is_unpinned():
    make_guarded()
    link = confirmed_link(make_service("shop"), pipeline_of("", "drone"))
    build = make_build(link.pipeline, 1, commit="abc1234")
    outcome = ask(make_person("ana", "deployer"), link, "retry", build=build)
    assert "The commit of that build is not known." in outcome.errors[""]
    assert not Trigger.objects.exists()
