"""A GitHub organisation is read over real HTTP: found whole, cheaply, and not believed blindly."""

from dataclasses import replace

import pytest

from catalog.descriptors import ReadError
from catalog.sources import Gone, NotThere, SourceFailed, SourceSpec
from catalog.sources.base import HostStops
from catalog.sources.github import GithubReader, place_of
from portal.credentials import Secret
from portal.http import HttpClient
from tests.catalog.hosts.forge import Pull
from tests.catalog.hosts.github import GithubHost
from tests.catalog.hosts.github_reading import counted, read_all, read_on, reader
from tests.catalog.trees import component

FILE = "catalog-info.yaml"


@pytest.fixture
def host():
    with GithubHost().running() as running:
        yield running


# --- What is found ---------------------------------------------------------------------------
def test_every_repository_is_found_over_pages_and_its_descriptor_read_at_its_commit(host):
    for number in range(230):
        host.add(f"r{number:03}", {"README.md": "x"})
    repo = host.add("pay", {FILE: component("pay"), "README.md": "x"}, description="Pays")
    found = reader(host)
    listing = found.roots()
    assert listing.complete
    assert not listing.problems
    assert len(listing.repositories) == 231
    location = f"acme/pay/{FILE}"
    assert b"name: pay" in found.read(location)
    place = found.place(location)
    commit = repo.heads["main"]
    assert (place.commit, place.version, place.repository) == (commit, commit, repo.id)
    assert place.url == f"{host.url}/acme/pay/blob/main/{FILE}"
    assert place.edit_url == f"{host.url}/acme/pay/edit/main/{FILE}"
    assert host.asked[-1].query == {"ref": commit}
    told = {one.full_name: one for one in found.repositories()}["acme/pay"]
    assert (told.descriptor, told.head_commit, told.description) == (FILE, commit, "Pays")


def test_what_has_not_changed_costs_no_request_but_the_list(host):
    host.add("pay", {FILE: component("pay")})
    host.add("web", {"README.md": "x"})
    first = reader(host)
    read_all(first)
    known = first.repositories()
    second = reader(host, known=known)
    with counted(host) as paths:
        listing = second.roots()
        places = {one: second.place(one).version for one in listing.locations}
    assert paths == ["/orgs/acme/repos"]
    # The engine sees that the file's version is as it was, and reads nothing.
    assert places == {f"acme/pay/{FILE}": known[0].head_commit}
    host.push(host.repos["2"], {FILE: component("web")})
    third = reader(host, known=known)
    with counted(host) as paths:
        listing = third.roots()
        assert b"name: web" in third.read(f"acme/web/{FILE}")
    assert len(paths) == 3


def test_options_choose_repositories(host):
    for name in ("pay-api", "pay-web", "shop"):
        host.add(name, {FILE: component(name)})
    host.add("copy", {FILE: component("copy")})
    host.add("old", {FILE: component("old")}, archived=True)
    host.forks = {"copy"}
    host.topics = {"shop": ["backstage"], "pay-api": ["go", "Backstage"]}

    def names(**options):
        return sorted(
            location.split("/")[1] for location in reader(host, **options).roots().locations
        )

    assert set(names()) == {"pay-api", "pay-web", "shop"}
    assert set(names(repositories=["pay-*", "!*-web"])) == {"pay-api"}
    assert set(names(topics=["backstage"])) == {"pay-api", "shop"}
    assert "copy" in names(include_forks=True)
    assert "old" in names(include_archived=True)


def test_another_branch_and_path_are_read(host):
    repo = host.add("pay", {"README.md": "x"})
    host.push(repo, {"ops/entity.yaml": component("pay")}, branch="feature/x")
    found = reader(host, branch="feature/x", path=["ops/entity.yaml"])
    assert list(read_all(found)) == ["acme/pay/ops/entity.yaml"]
    missing = reader(host, branch="none")
    with pytest.raises(NotThere, match='no branch "none"'):
        missing.read(missing.roots().locations[0])


def test_a_flagged_repository_alone_is_asked_for_by_its_id(host):
    host.add("pay", {FILE: component("pay")})
    repo = host.add("web", {FILE: component("web")})
    first = reader(host)
    read_all(first)
    host.rename(repo, "front")
    known = [replace(one, marker="") for one in first.repositories()]
    second = reader(host, known=known, only=frozenset({repo.id, "77"}))
    with counted(host) as paths:
        listing = second.roots()
    assert paths == [f"/repositories/{repo.id}"]
    assert not listing.complete
    assert f"acme/front/{FILE}" in listing.locations


def test_wild_cards_search_the_tree_and_a_cut_one_is_said(host):
    files = {FILE: "x", "apis/a.yaml": "x", "apis/deep/b.yaml": "x", "docs/c.yaml": "x"}
    host.add("pay", files)
    host.odd = {("pay", "apis/link.yaml"): "symlink"}
    found = reader(host)
    base = next(one for one in found.roots().locations if one.endswith(FILE))
    assert found.targets(base, "./apis/*.yaml") == ["acme/pay/apis/a.yaml"]
    assert found.targets(base, "apis/**/*.yaml")[1:] == ["acme/pay/apis/deep/b.yaml"]
    host.truncated = True
    cut = reader(host)
    cut.roots()
    with pytest.raises(ReadError, match="holds more files than GitHub lists"):
        cut.targets(base, "**/*.yaml")


def test_targets_stay_within_the_repository(host):
    host.add("pay", {FILE: "x", "api.yaml": "x"})
    host.add("secret", {FILE: "x"})
    found = reader(host)
    found.roots()
    base = f"acme/pay/{FILE}"
    assert found.targets(base, "./api.yaml") == ["acme/pay/api.yaml"]
    own = f"{host.url}/acme/pay/blob/main/api.yaml"
    assert found.targets(base, own) == ["acme/pay/api.yaml"]
    for target in (
        "../secret/x",
        f"{host.url}/acme/secret/blob/main/{FILE}",
        "https://evil.example/x",
    ):
        with pytest.raises(ReadError):
            found.targets(base, target)


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        ("symlink", "link that leads to no file"),
        ("submodule", "submodule: a repository of its own"),
    ],
)
def test_what_is_no_file_is_said(host, odd, sentence):
    host.add("pay", {FILE: "x"})
    host.odd = {("pay", FILE): odd}
    found = reader(host)
    found.roots()
    with pytest.raises(ReadError, match=sentence):
        found.read(f"acme/pay/{FILE}")


def test_a_folder_and_an_lfs_pointer_are_said_and_json_is_a_file(host):
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    host.add("pay", {FILE: lfs, "apis/a.yaml": "x", "api.json": '{"type": "file"}'})
    found = reader(host)
    found.roots()
    with pytest.raises(ReadError, match="LFS"):
        found.read(f"acme/pay/{FILE}")
    with pytest.raises(ReadError, match="is a folder"):
        found.read("acme/pay/apis")
    assert found.read("acme/pay/api.json") == b'{"type": "file"}'


def test_pull_requests_are_the_open_ones(host):
    repo = host.add("pay", {FILE: "x"})
    repo.pulls = [Pull(7, "Add refunds", draft=True), Pull(8, "By a ghost", author="")]
    found = reader(host)
    found.roots()
    first, second = found.pull_requests(found.repositories()[0])
    assert (first.number, first.draft, first.source_branch) == (7, True, "feature/x")
    assert first.url == f"{host.url}/acme/pay/pull/7"
    assert second.author == ""


# --- What goes wrong -------------------------------------------------------------------------
def test_an_empty_repository_has_no_descriptor_and_is_no_problem(host):
    host.add("new")
    found = reader(host)
    assert read_all(found) == {}
    assert found.repositories()[0].descriptor == ""


def test_what_is_hidden_is_not_gone(host):
    host.add("pay", {FILE: component("pay")})
    host.hidden = {"pay"}
    found = reader(host)
    location = found.roots().locations[0]
    with pytest.raises(ReadError) as caught:
        found.read(location)
    assert not isinstance(caught.value, Gone) or isinstance(caught.value, NotThere)
    assert found.repositories()[0].descriptor is None
    assert found.repositories()[0].marker == ""


def test_a_legal_block_is_a_sentence_and_the_others_are_read(host):
    host.add("bad", {FILE: component("bad")})
    host.add("pay", {FILE: component("pay")})
    host.blocked = {"bad"}
    found = read_all(reader(host))
    assert "legal reasons" in found[f"acme/bad/{FILE}"]
    assert b"name: pay" in found[f"acme/pay/{FILE}"]


def test_a_renamed_repository_is_followed_with_the_credential(host):
    repo = host.add("pay", {FILE: component("pay")})
    repo.pulls = [Pull(7, "Add refunds")]
    found = reader(host)
    found.roots()
    host.rename(repo, "payments")
    # GitHub answers 301 to /repositories/<id>/…, on the same host.
    assert b"name: pay" in found.read(f"acme/pay/{FILE}")
    there = f"/api/v3/repositories/{repo.id}/contents/{FILE}"
    assert there in host.paths()
    assert {one.headers["authorization"] for one in host.asked} == {f"Bearer {host.token}"}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("primary", r"asked too often \(403\) until"),
        ("secondary", r"asked too often \(403\) until"),
        ("storm", r"asked too often \(429\) until"),
    ],
)
def test_a_limit_ends_the_reading_and_nothing_more_is_asked(host, kind, sentence):
    for number in range(5):
        host.add(f"r{number}", {FILE: component(f"r{number}")})
    host.limit_kind = kind
    found = reader(host)
    locations = found.roots().locations
    host.limited_after = 3
    assert found.read(locations[0])
    with pytest.raises(HostStops, match=sentence):
        read_on(found, locations[2:])
    with counted(host) as paths, pytest.raises(HostStops):
        found.read(locations[-2])
    assert paths == []
    assert found.usage.reset_at is not None


def test_the_last_twentieth_of_the_limit_is_left_to_others(host):
    for number in range(5):
        host.add(f"r{number}", {FILE: component(f"r{number}")})
    host.limit, host.remaining = 100, 8
    found = reader(host)
    locations = [one for one in found.roots().locations if one.endswith(FILE)]
    with pytest.raises(HostStops, match="they are left to others"):
        read_on(found, locations)
    assert found.usage.remaining == 5
    assert (found.usage.limit, found.usage.reset_at) == (100, host.reset_at)


def test_a_list_that_breaks_off_is_not_whole(host):
    for number in range(150):
        host.add(f"r{number}", {FILE: "x"})
    host.failing_page = 2
    listing = reader(host).roots()
    assert not listing.complete
    assert "The list is not whole" in listing.problems[0][1]
    host.failing_page = 1
    with pytest.raises(SourceFailed, match=r"fails at the moment \(502\)"):
        reader(host).roots()


def test_a_list_from_which_some_are_left_out_is_not_whole(host):
    host.add("pay", {FILE: component("pay")})
    host.left_out = 1
    listing = reader(host).roots()
    assert listing.locations
    assert not listing.complete
    assert "single sign-on" in listing.problems[0][1]


def test_a_next_page_on_another_host_is_not_followed(host):
    for number in range(150):
        host.add(f"r{number}", {FILE: "x"})
    host.next_host = "http://127.0.0.1:9"
    listing = reader(host).roots()
    assert not listing.complete
    assert "another host" in listing.problems[0][1]


def test_a_revoked_token_ends_the_reading_at_once(host):
    for number in range(3):
        host.add(f"r{number}", {FILE: component(f"r{number}")})
    found = reader(host)
    locations = found.roots().locations
    host.revoked_after = 1
    with pytest.raises(HostStops, match="revoked"):
        found.read(locations[0])
    with pytest.raises(SourceFailed, match=r"does not accept the credential \(401\)"):
        reader(host).roots()
    assert host.token not in str(found.__dict__)


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [("sso", "single sign-on"), ("suspended", "installation is suspended")],
)
def test_a_refusal_of_the_whole_organisation_is_said(host, switch, sentence):
    host.add("pay", {FILE: "x"})
    setattr(host, switch, True)
    with pytest.raises(SourceFailed, match=sentence):
        reader(host).roots()


def test_an_unknown_organisation_and_an_empty_one_prove_nothing(host):
    with pytest.raises(SourceFailed, match="shows no repository"):
        reader(host).roots()
    spec = SourceSpec("github", f"{host.url}/other", "", {})
    client = HttpClient(allow=["127.0.0.1"])
    with pytest.raises(SourceFailed, match="404"):
        GithubReader(spec, client, Secret(host.token)).roots()


# --- The target ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("acme", ("https://github.com", "acme")),
        ("https://github.com/acme-corp/", ("https://github.com", "acme-corp")),
        ("github.com/acme", ("https://github.com", "acme")),
        ("https://www.github.com/orgs/acme", ("https://github.com", "acme")),
        ("https://ghe.example:8443/acme", ("https://ghe.example:8443", "acme")),
    ],
)
def test_a_target_names_host_and_organisation(target, place):
    assert place_of(target) == place


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "https://github.com",
        "https://github.com/a/b",
        "ftp://x/acme",
        "https://u:p@x/acme",
        "a b",
        "https://x:y/z",
    ],
)
def test_a_target_that_is_no_organisation_is_refused(target):
    with pytest.raises(SourceFailed):
        place_of(target)
