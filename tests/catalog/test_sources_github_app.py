"""A GitHub App reads with tokens that are made when needed, kept in memory and never shown."""

import pytest

from catalog.sources import SourceFailed, github_app
from catalog.sources.base import HostStops
from tests.catalog.hosts.github import INSTALLATION, GithubHost
from tests.catalog.hosts.github_reading import app_reader, counted, read_all
from tests.catalog.trees import component

FILE = "catalog-info.yaml"


@pytest.fixture
def host():
    with GithubHost().running() as running:
        yield running


@pytest.fixture(autouse=True)
def no_tokens_of_other_tests():
    github_app._kept.clear()


def test_an_app_reads_with_a_token_that_is_made_once(host):
    host.add("pay", {FILE: component("pay")})
    for _ in range(3):
        assert list(read_all(app_reader(host))) == [f"acme/pay/{FILE}"]
    assert host.tokens_made == 1
    assert host.paths()[:2] == [
        "/api/v3/orgs/acme/installation",
        f"/api/v3/app/installations/{INSTALLATION}/access_tokens",
    ]
    assert "/api/v3/installation/repositories" in host.paths()
    read_all(app_reader(host, installation_id=str(INSTALLATION)))
    assert host.paths().count("/api/v3/orgs/acme/installation") == 1


def test_an_apps_token_is_renewed_before_its_end(host):
    host.add("pay", {FILE: component("pay")})
    host.token_life = github_app.EARLY
    found = app_reader(host)
    assert list(read_all(found)) == [f"acme/pay/{FILE}"]
    assert host.tokens_made == len(
        [p for p in host.paths() if "/app/" not in p and "orgs" not in p]
    )


def test_an_apps_token_that_was_refused_is_made_anew(host):
    host.add("pay", {FILE: component("pay")})
    read_all(app_reader(host))
    host.token = "another"
    with pytest.raises(SourceFailed, match="401"):
        app_reader(host).roots()
    assert read_all(app_reader(host))
    assert host.tokens_made == 2


@pytest.mark.parametrize("key", ["not a key", "-----BEGIN RSA PRIVATE KEY-----\nx\n"])
def test_a_key_that_is_none_is_said_without_it(host, key):
    with pytest.raises(SourceFailed, match="not the private key of a GitHub App") as caught:
        app_reader(host, key).roots()
    assert key not in str(caught.value)


def test_an_app_that_is_not_installed_or_not_known_is_said(host):
    host.add("pay", {FILE: "x"})
    with pytest.raises(SourceFailed, match="not installed"):
        app_reader(host, installation_id="5").roots()


def test_an_app_that_loses_its_installation_ends_the_reading(host):
    for number in range(3):
        host.add(f"r{number}", {FILE: component(f"r{number}")})
    host.token_life = github_app.EARLY  # a token for every request
    found = app_reader(host, installation_id=str(INSTALLATION))
    locations = found.roots().locations
    host.uninstalled = True
    with pytest.raises(HostStops, match="not installed"):
        found.read(locations[0])
    with counted(host) as paths, pytest.raises(HostStops):
        found.read(locations[-1])
    assert not [path for path in paths if path.startswith("/repos/")]


def test_a_list_of_an_app_that_is_shorter_than_it_says_is_not_whole(host):
    host.add("pay", {FILE: component("pay")})
    host.left_out = 2
    listing = app_reader(host).roots()
    assert listing.locations
    assert not listing.complete
    assert "tells of 3 repositories and shows 1" in listing.problems[0][1]


def test_a_token_is_for_whoever_has_the_key(host):
    host.add("pay", {FILE: component("pay")})
    assert read_all(app_reader(host))
    with pytest.raises(SourceFailed, match="not the private key"):
        app_reader(host, "another key").roots()
