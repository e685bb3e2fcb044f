"""A Bitbucket Data Center is read over its real wire format; its repositories take turns."""

import pytest

from catalog.descriptors import ReadError
from catalog.sources import Gone, SourceFailed, SourceSpec, bitbucket_dc, reader_for
from catalog.sources.base import HostStops
from catalog.sources.bitbucket_dc import BitbucketDcReader
from tests.catalog.hosts.bitbucket_dc import DataCenter
from tests.catalog.hosts.forge import Pull
from tests.catalog.test_sources_bitbucket import FILE, read_all

REFERENCE = "env:STAGEDOOR_CREDENTIAL_BB"


@pytest.fixture(autouse=True)
def loopback(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", "s3cret-token")


@pytest.fixture
def host():
    with DataCenter().running() as running:
        yield running


def reader(host, known=(), only=None, path="", **options) -> BitbucketDcReader:
    target = f"{host.base}{path}"
    found = reader_for(SourceSpec("bitbucket_dc", target, REFERENCE, options, tuple(known), only))
    assert isinstance(found, BitbucketDcReader)
    return found


@pytest.mark.parametrize("old", [False, True])
def test_every_repository_is_found_and_its_descriptor_read(host, old):
    host.old = old
    for number in range(60):
        host.add(f"PAY/service-{number}", {FILE: "x"}, main="develop")
    host.add("~ana/toy", {"catalog-info.yml": "x"})
    host.add("WEB/bare", {"README.md": "x"})
    host.add("WEB/empty")
    host.add("WEB/old", {FILE: "x"}, archived=True)
    first = reader(host)
    listing, found = read_all(first)
    assert listing.complete
    assert len(found) == 61
    told = {repository.full_name: repository for repository in first.repositories()}
    assert len(told) == 64
    assert told["PAY/service-1"].default_branch == "develop"
    assert told["PAY/service-1"].head_commit == host.find("PAY/service-1").heads["develop"]
    assert told["~ana/toy"].url == f"{host.base}/users/ana/repos/toy"
    assert (told["WEB/bare"].descriptor, told["WEB/empty"].descriptor) == ("", "")
    assert (told["WEB/old"].archived, told["WEB/old"].descriptor) == (True, None)
    place = first.place(f"PAY/service-1/{FILE}")
    page = f"{host.base}/projects/PAY/repos/service-1/browse/{FILE}?at=develop"
    assert (place.url, place.edit_url) == (page, f"{page}&mode=edit")


def test_one_project_may_be_the_target(host):
    host.add("PAY/api", {FILE: "x"})
    host.add("WEB/site", {FILE: "x"})
    assert reader(host, path="/projects/PAY").roots().locations[0] == f"PAY/api/{FILE}"
    assert {q.path for q in host.asked} == {"/bb/rest/api/1.0/projects/PAY/repos"}
    listing = reader(host, projects=["WEB"], repositories=["s*"]).roots()
    assert [repository.full_name for repository in listing.repositories] == ["WEB/site"]


def test_repositories_take_turns_in_being_looked_at(host, monkeypatch):
    """One request each for so many a reading; the others count as they were."""
    monkeypatch.setattr(bitbucket_dc, "MAX_CHECKS", 4)
    for number in range(10):
        host.add(f"PAY/service-{number}", {FILE: "x"})
    known = reader(host)
    read_all(known)
    rows = known.repositories()
    host.asked.clear()
    moments = []
    for turn in range(3):
        again = reader(host, rows)
        again._now = f"2030-01-0{turn + 1}"
        listing = again.roots()
        rows = again.repositories()
        moments.append(sum(row.marker.startswith(again._now) for row in rows))
        assert len(listing.locations) == 10
    assert moments == [4, 4, 4]
    assert len({path for path in host.paths() if path.endswith("/commits")}) == 10
    assert len(host.asked) == 3 * (1 + 4)


def test_a_push_is_seen(host):
    repo = host.add("PAY/api", {FILE: "old"})
    host.add("PAY/web", {FILE: "x"})
    first = reader(host)
    read_all(first)
    host.push(repo, {FILE: "new"})
    again = reader(host, first.repositories())
    listing = again.roots()
    assert again.place(f"PAY/api/{FILE}").version == repo.heads["main"]
    assert again.read(f"PAY/api/{FILE}") == b"new"
    assert f"PAY/web/{FILE}" in listing.locations
    only = reader(host, first.repositories(), frozenset({repo.id}))
    assert read_all(only)[1] == {f"PAY/api/{FILE}": b"new"}


def test_a_named_branch_is_read(host):
    repo = host.add("PAY/api", {FILE: "main"})
    host.push(repo, {FILE: "stable"}, branch="release/1")
    first = reader(host, branch="release/1")
    assert read_all(first)[1] == {f"PAY/api/{FILE}": b"stable"}
    again = reader(host, first.repositories(), branch="release/1")
    assert again.roots().locations == [f"PAY/api/{FILE}"]
    assert again.place(f"PAY/api/{FILE}").version == repo.heads["release/1"]


def test_wild_cards_are_searched_below_their_folder(host):
    files = {f"org/deep/team-{number}.yaml": "x" for number in range(60)}
    host.add("PAY/api", {FILE: "x", **files})
    api = reader(host)
    api.roots()
    assert len(api.targets(f"PAY/api/{FILE}", "org/**/*.yaml")) == 60
    with pytest.raises(Gone, match="matches no file"):
        api.targets(f"PAY/api/{FILE}", "org/*.yaml")


def test_a_page_that_fails_leaves_the_list_incomplete(host):
    for number in range(60):
        host.add(f"PAY/service-{number}", {FILE: "x"})
    host.failing_page = 2
    listing = reader(host).roots()
    assert not listing.complete
    assert len(listing.repositories) == 25
    assert "fails at the moment (503)" in listing.problems[0][1]


def test_too_many_requests_and_a_revoked_token_end_the_reading(host):
    for number in range(6):
        host.add(f"PAY/service-{number}", {FILE: "x"})
    first = reader(host)
    read_all(first)
    host.limited_after = 3  # the list and two looks
    again = reader(host, first.repositories())
    listing = again.roots()
    assert listing.complete
    with pytest.raises(HostStops, match=r"asked too often \(429\) until \d\d:\d\d UTC"):
        [again.read(f"PAY/service-2/{path}") for path in again.paths]
    assert len(listing.locations) == 7  # one of them as one that has to be looked at
    assert sum(not repository.marker for repository in again.repositories()) == 1
    host.limited_after, host.revoked_after = None, 0
    with pytest.raises(SourceFailed, match="does not accept the credential"):
        reader(host, first.repositories()).roots()


def test_a_renamed_repository_keeps_its_id(host):
    repo = host.add("PAY/api", {FILE: "x"})
    first = reader(host)
    read_all(first)
    repo.name = "payments"
    again = reader(host, first.repositories())
    assert again.roots().locations == [f"PAY/payments/{FILE}"]
    assert again.repositories()[0].external_id == repo.id
    other = host.add("PAY/api", {FILE: "x"})
    assert other.id != repo.id
    only = reader(host, first.repositories(), frozenset({repo.id}))
    assert "another repository now" in only.roots().problems[0][1]


def test_open_pull_requests_are_listed(host):
    repo = host.add("PAY/api", {FILE: "x"})
    repo.pulls = [Pull(3, "Retry", source="feature/retry")]
    api = reader(host)
    (found,) = api.pull_requests(api.roots().repositories[0])
    assert (found.number, found.title, found.author) == (3, "Retry", "Ana Sol")
    assert (found.source_branch, found.target_branch) == ("feature/retry", "main")
    assert found.url == f"{host.base}/projects/PAY/repos/api/pull-requests/3"
    assert found.updated_at == repo.pulls[0].updated


@pytest.mark.parametrize("target", ["acme", "ftp://bb.example", "https://bb.example?x=1"])
def test_what_is_no_address_is_refused(target):
    with pytest.raises(SourceFailed, match="The target is the address"):
        reader_for(SourceSpec("bitbucket_dc", target))


def test_a_password_is_no_token(host, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", "ana:secret")
    with pytest.raises(SourceFailed, match="no HTTP access token"):
        reader(host)


def test_a_path_outside_the_repository_is_refused(host):
    host.add("PAY/api", {FILE: "x"})
    api = reader(host)
    api.roots()
    with pytest.raises(ReadError, match="leads outside the repository"):
        api.targets(f"PAY/api/{FILE}", "../../WEB/x.yaml")
