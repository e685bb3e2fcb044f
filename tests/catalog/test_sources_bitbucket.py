"""A Bitbucket workspace is read over its real wire format, and nothing that fails reads as gone."""

import pytest

from catalog.descriptors import ReadError
from catalog.sources import Gone, SourceFailed, SourceSpec, reader_for
from catalog.sources.base import HostStops, Listing
from catalog.sources.bitbucket import BitbucketReader, workspace_of
from tests.catalog.hosts.bitbucket import BitbucketHost
from tests.catalog.hosts.forge import Pull
from tests.catalog.trees import component
from tests.httpd import reply

FILE = "catalog-info.yaml"
REFERENCE = "env:STAGEDOOR_CREDENTIAL_BB"


@pytest.fixture(autouse=True)
def loopback(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", "s3cret-token")


@pytest.fixture
def host():
    with BitbucketHost().running() as running:
        yield running


def reader(host, known=(), only=None, target="acme", **options) -> BitbucketReader:
    options = {"api_url": host.api, **options}
    found = reader_for(SourceSpec("bitbucket", target, REFERENCE, options, tuple(known), only))
    assert isinstance(found, BitbucketReader)
    return found


def read_all(reader) -> tuple[Listing, dict[str, bytes]]:
    """What an engine does with the roots: every one is read, what is Gone is left out."""
    listing, found = reader.roots(), {}
    for location in listing.locations:
        try:
            found[location] = reader.read(location)
        except Gone:
            continue
    return listing, found


# --- Which repositories, which files ---------------------------------------------------------
def test_every_repository_is_found_and_its_descriptor_read(host):
    for number in range(130):
        host.add(f"service-{number}", {FILE: component(f"service-{number}")})
    bare = host.add("bare", {"README.md": "hello"})
    host.add("short", {"catalog-info.yml": component("short")})
    host.add("empty")
    first = reader(host)
    listing, found = read_all(first)
    assert listing.complete
    assert listing.optional
    assert len(found) == 131
    assert "acme/short/catalog-info.yml" in found
    told = {repository.full_name: repository for repository in first.repositories()}
    assert len(told) == 133
    assert told["acme/bare"].descriptor == ""
    assert told["acme/bare"].external_id == bare.id
    assert told["acme/empty"].descriptor == ""
    assert told["acme/short"].descriptor == "catalog-info.yml"
    assert told["acme/service-7"].head_commit == host.find("acme/service-7").heads["main"]


def test_what_has_not_changed_costs_only_the_list(host):
    """2,000 repositories: 20 requests."""
    for number in range(2000):
        host.add(f"service-{number}", {FILE: "x"} if number % 2 else {"README.md": "x"})
    first = reader(host)
    first.host._hourly = 0
    read_all(first)
    host.asked.clear()
    again = reader(host, first.repositories())
    listing = again.roots()
    assert len(listing.locations) == 1000
    assert {again.place(location).version for location in listing.locations} == {
        repo.heads["main"]
        for repo in host.repos.values()
        if FILE in repo.commits[repo.heads["main"]]
    }
    assert len(host.asked) == 20
    assert again.usage.requests == 20
    assert again.repositories() == first.repositories()


def test_a_push_is_seen_and_costs_one_request_more(host):
    for number in range(5):
        host.add(f"service-{number}", {FILE: "old"})
    first = reader(host)
    read_all(first)
    host.push(host.find("acme/service-3"), {FILE: "new"})
    host.asked.clear()
    again = reader(host, first.repositories())
    again.roots()
    assert again.read(f"acme/service-3/{FILE}") == b"new"
    assert len(host.asked) == 2


@pytest.mark.parametrize("heads", [True, False])
def test_where_the_list_tells_no_commit_the_marker_does(host, heads):
    host.tells_heads = heads
    repo, other = host.add("pay", {FILE: "old"}), host.add("ledger", {FILE: "x"})
    first = reader(host)
    read_all(first)
    host.push(repo, {FILE: "new"})
    host.asked.clear()
    again = reader(host, first.repositories())
    _, found = read_all(again)
    assert found[f"acme/pay/{FILE}"] == b"new"
    assert again.place(f"acme/ledger/{FILE}").version == other.heads["main"]
    asked = [path for path in host.paths() if "/acme/pay/refs/branches/main" in path]
    assert len(asked) == (0 if heads else 1)


def test_a_branch_that_is_named_is_read_where_it_is(host):
    repo = host.add("pay", {FILE: "main"})
    host.push(repo, {FILE: "stable"}, branch="release/stable")
    host.add("ledger", {FILE: "x"})
    first = reader(host, branch="release/stable")
    _, found = read_all(first)
    assert found == {f"acme/pay/{FILE}": b"stable"}
    descriptors = {r.full_name: r.descriptor for r in first.repositories()}
    assert descriptors == {"acme/pay": FILE, "acme/ledger": ""}


def test_another_branch_or_path_is_looked_for_at_once(host):
    repo = host.add("pay", {FILE: "main", "docs/info.yaml": "docs"})
    host.push(repo, {FILE: "stable"}, branch="stable")
    first = reader(host)
    read_all(first)
    known = first.repositories()
    assert read_all(reader(host, known, branch="stable"))[1] == {f"acme/pay/{FILE}": b"stable"}
    found = read_all(reader(host, known, path=["docs/info.yaml"]))[1]
    assert found == {"acme/pay/docs/info.yaml": b"docs"}


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"projects": ["PAY"]}, {"pay", "payroll"}),
        ({"repositories": ["pay*", "!*roll"]}, {"pay"}),
        ({"repositories": ["!acme/web"]}, {"pay", "payroll"}),
        ({"projects": ["W*"], "repositories": "web"}, {"web"}),
    ],
)
def test_filters_leave_repositories_out(host, options, left):
    for name, project in (("pay", "PAY"), ("payroll", "PAY"), ("web", "WEB")):
        host.add(name, {FILE: "x"}, project=project)
    listing = reader(host, **options).roots()
    assert {repository.full_name for repository in listing.repositories} == {
        f"acme/{name}" for name in left
    }


def test_a_file_may_name_others_of_its_repository_only(host):
    files = {f"org/team-{n}.yaml": "x" for n in range(150)}
    deep = "a/b/c/d/e/f/g/h/i/j"
    repo = host.add("pay", {FILE: "x", ".info/x.yaml": "x", f"{deep}/api.yaml": "x", **files})
    host.add("ledger", {FILE: "x"})
    pay = reader(host)
    pay.roots()
    base = f"acme/pay/{FILE}"
    assert len(pay.targets(base, "./org/*.yaml")) == 150
    assert pay.targets(base, "a/**/api.yaml") == [f"acme/pay/{deep}/api.yaml"]
    assert pay.targets("acme/pay/org/team-1.yaml", "../.info/*.yaml") == ["acme/pay/.info/x.yaml"]
    own = f"{host.url}/acme/pay/src/main/.info/x.yaml"
    for wrong in ("../ledger/catalog-info.yaml", "../../x", own):
        with pytest.raises(ReadError):
            pay.targets(base, wrong)
    with pytest.raises(ReadError, match="org is a folder"):
        pay.read("acme/pay/org")
    commit = repo.heads["main"]
    place = pay.place("acme/pay/org/team-1.yaml")
    assert place.url == f"{host.url}/acme/pay/src/main/org/team-1.yaml"
    assert place.edit_url.startswith(f"{place.url}?mode=edit")
    assert (place.commit, place.repository) == (commit, repo.id)
    with pytest.raises(Gone, match=f"acme/pay has no nothing.yaml at {commit[:12]}"):
        pay.read("acme/pay/nothing.yaml")


def test_only_what_was_flagged_is_asked_for(host):
    repo = host.add("pay", {FILE: "old"})
    gone = host.add("gone", {FILE: "x"})
    host.add("ledger", {FILE: "x"})
    first = reader(host)
    read_all(first)
    host.push(repo, {FILE: "new"})
    host.delete(gone)
    host.asked.clear()
    again = reader(host, first.repositories(), frozenset({repo.id, gone.id, "{unknown}"}))
    listing, found = read_all(again)
    assert found == {f"acme/pay/{FILE}": b"new"}
    assert not listing.complete
    assert [location for location, _ in listing.problems] == ["acme/gone"]
    assert len(host.asked) == 3


# --- What goes wrong is never "gone" ---------------------------------------------------------
def test_a_renamed_repository_keeps_its_id(host):
    repo = host.add("pay", {FILE: "x"})
    first = reader(host)
    read_all(first)
    repo.name = "payments"
    again = reader(host, first.repositories())
    assert again.roots().locations == [f"acme/payments/{FILE}"]
    assert again.repositories()[0].external_id == repo.id
    assert again.read(f"acme/payments/{FILE}") == b"x"


def test_a_workspace_that_shows_nothing_at_all_proves_nothing(host):
    with pytest.raises(SourceFailed, match="shows no repository in this workspace"):
        reader(host).roots()
    host.add("pay", {FILE: "x"})
    with pytest.raises(SourceFailed, match="None of its 1 repositories matches"):
        reader(host, projects=["WEB"]).roots()
    with pytest.raises(SourceFailed, match="no such thing, or hides it"):
        reader(host, target="other").roots()


# --- Pull requests ---------------------------------------------------------------------------
def test_open_pull_requests_are_listed(host):
    repo = host.add("pay", {FILE: "x"})
    repo.pulls = [Pull(7, "Round down", draft=True), Pull(9, "Retry", "Former user")]
    pay = reader(host)
    listed = pay.roots().repositories[0]
    found = {request.number: request for request in pay.pull_requests(listed)}
    assert found[7].draft
    assert (found[9].title, found[9].author) == ("Retry", "Former user")
    assert (found[9].source_branch, found[9].target_branch) == ("feature/x", "main")
    assert found[9].url == f"{host.url}/acme/pay/pull-requests/9"
    host.pulls_refused = True
    with pytest.raises(ReadError, match=r"lacks the scope pullrequest \(403\)"):
        pay.pull_requests(listed)


# --- Targets, credentials, the vendor's own description --------------------------------------
@pytest.mark.parametrize("target", ["acme", "https://bitbucket.org/acme", "{%s}" % ("a" * 36)])
def test_a_workspace_is_a_slug_or_a_page(target):
    assert workspace_of(target) in {"acme", target}


@pytest.mark.parametrize("target", ["", "a/b", "https://example.com/acme", "../x", "https://["])
def test_what_is_no_workspace_is_refused(host, target):
    with pytest.raises(SourceFailed, match="The target is a workspace"):
        reader(host, target=target)


@pytest.mark.parametrize(
    ("credential", "sentence"),
    [
        ("ana:ATBBsecretsecret", "app password, which Bitbucket no longer takes"),
        ("ana:ATATTsecret", "with the e-mail address"),
        ("key:secretsecret", "with the e-mail address"),
        ("two words-secret", "one word"),
    ],
)
def test_a_credential_that_cant_be_one_is_refused_in_words(host, monkeypatch, credential, sentence):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", credential)
    with pytest.raises(SourceFailed, match=sentence) as refused:
        reader(host)
    assert "secret" not in str(refused.value)


def test_an_api_token_is_sent_with_its_email(host, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", "ana@acme.example:s3cret-token")
    host.add("pay", {FILE: "x"})
    assert reader(host).roots().locations


def test_a_file_that_is_too_large_says_nothing_about_its_host(host):
    for number in range(10):
        host.add(f"service-{number}", {FILE: "x" * 5_000_001 if number < 9 else "x"})
    some = reader(host)
    listing = some.roots()
    for location in listing.locations[:18:2]:
        with pytest.raises(ReadError, match="more than 5,000,000 bytes") as refused:
            some.read(location)
        assert not isinstance(refused.value, HostStops)
    assert some.read(listing.locations[18]) == b"x"


def test_a_host_that_is_down_is_not_asked_for_ever(host, monkeypatch):
    for number in range(30):
        host.add(f"service-{number}", {FILE: "x"})
    some = reader(host)
    listing = some.roots()
    host.asked.clear()
    monkeypatch.setattr(host, "answer", lambda asked: reply(503, "down"))
    sentences = set()
    for location in listing.locations:
        with pytest.raises(ReadError) as refused:
            some.read(location)
        sentences.add(str(refused.value))
    assert len(host.asked) == 8
    assert any("8 times in a row" in sentence for sentence in sentences)
    assert not any(repository.marker for repository in some.repositories())
