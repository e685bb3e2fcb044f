"""What goes wrong at Bitbucket while a workspace is read never reads as gone."""
# ruff: noqa: F811  (fixtures are imported, and named by the tests)

import pytest

from catalog.sources import NotThere, SourceFailed
from catalog.sources.base import HostStops
from tests.catalog.test_sources_bitbucket import (  # noqa: F401
    FILE,
    host,
    loopback,
    read_all,
    reader,
)
from tests.httpd import reply


def test_a_page_that_fails_leaves_the_list_incomplete(host):
    for number in range(150):
        host.add(f"service-{number}", {FILE: "x"})
    host.failing_page = 2
    listing = reader(host).roots()
    assert not listing.complete
    assert len(listing.repositories) == 100
    assert "The list is not whole. Bitbucket fails at the moment (502)" in listing.problems[0][1]
    host.failing_page = 1
    with pytest.raises(SourceFailed, match="fails at the moment"):
        reader(host).roots()


def test_a_list_without_end_is_an_error(host):
    host.add("pay", {FILE: "x"})
    host.endless = True
    listing = reader(host).roots()
    assert not listing.complete
    assert "goes in a circle" in listing.problems[0][1]
    assert len(host.asked) == 2


def test_too_many_requests_end_the_reading_and_the_next_goes_on(host):
    for number in range(20):
        host.add(f"service-{number}", {FILE: "x"})
    host.limited_after = 8
    first = reader(host)
    listing = first.roots()
    for location in listing.locations[:13:2]:
        assert first.read(location) == b"x"
    for location in listing.locations[14::2]:
        with pytest.raises(HostStops, match=r"asked too often \(429\)"):
            first.read(location)
    assert len(host.asked) == 9  # nothing more was asked once it had refused
    told = first.repositories()
    assert sum(bool(repository.marker) for repository in told) == 7
    host.limited_after = None
    assert len(reader(host, told).roots().locations) == 7 + 13 * 2


def test_a_limit_that_comes_near_is_left_to_others(host):
    host.add("pay", {FILE: "x"})
    host.headers = {"X_RateLimit_Limit": "1000", "X_RateLimit_NearLimit": "true"}
    pay = reader(host)
    pay.roots()
    with pytest.raises(HostStops, match="Less than a fifth"):
        pay.read(f"acme/pay/{FILE}")
    assert (pay.usage.limit, pay.usage.remaining) == (1000, 200)


def test_a_credential_is_not_used_up_within_an_hour(host, monkeypatch):
    monkeypatch.setattr("catalog.sources.bitbucket.HOURLY", 2)
    host.tells_heads = False
    host.add("pay", {FILE: "x"})
    read_all(reader(host))
    with pytest.raises(SourceFailed, match="asked 2 times within an hour"):
        reader(host).roots()
    assert len(host.asked) == 3  # the file itself falls under another limit


def test_a_token_revoked_midway_ends_the_reading(host):
    for number in range(4):
        host.add(f"service-{number}", {FILE: "x"})
    host.revoked_after = 3
    some = reader(host)
    listing = some.roots()
    assert some.read(listing.locations[0])
    assert some.read(listing.locations[2])
    with pytest.raises(HostStops, match="does not accept the credential") as refused:
        some.read(listing.locations[4])
    assert "s3cret" not in str(refused.value)
    assert [bool(repository.marker) for repository in some.repositories()] == [
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(SourceFailed, match="does not accept"):
        reader(host).roots()


def test_a_branch_renamed_midway_is_followed(host):
    host.tells_heads = False
    repo = host.add("pay", {FILE: "x"})
    pay = reader(host)
    pay.roots()
    host.rename_branch(repo, "trunk")
    assert pay.read(f"acme/pay/{FILE}") == b"x"
    assert pay.repositories()[0].default_branch == "trunk"


def test_a_repository_hidden_midway_is_not_gone(host):
    host.tells_heads = False
    repo = host.add("pay", {FILE: "x"})
    pay = reader(host)
    pay.roots()
    host.delete(repo)
    with pytest.raises(NotThere):
        pay.read(f"acme/pay/{FILE}")


def test_a_page_that_says_404_is_no_word_of_the_host(host, monkeypatch):
    repo = host.add("pay", {FILE: "x"})
    first = reader(host)
    read_all(first)
    host.push(repo, {FILE: "y"})
    again = reader(host, first.repositories())
    locations = again.roots().locations
    page = reply(404, "<html>lost</html>", Content_Type="text/html")
    with monkeypatch.context() as lost:
        lost.setattr(host, "answer", lambda asked: page)
        for location in locations:
            with pytest.raises(NotThere):
                again.read(location)
    (told,) = again.repositories()
    assert (told.marker, told.descriptor) == ("", FILE)
    assert read_all(reader(host, [told]))[1] == {f"acme/pay/{FILE}": b"y"}
