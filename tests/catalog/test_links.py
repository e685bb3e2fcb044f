"""Only addresses that are harmless to follow become links."""

import pytest

from catalog.links import Link, contact_of, links_of, safe_url
from catalog.models import Entity


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/x?y=1#z",
        "http://a.example",
        "HTTPS://a.example",
        "mailto:team@a.example",
    ],
)
def test_web_and_mail_addresses_are_links(address):
    assert safe_url(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " java\nscript:alert(1)",
        "data:text/html,x",
        "//a.example",
        "/admin/",
        "https:",
        "https://",
        "https://[x",
        'https://a.example/"onclick=',
        "https://a.example/\u202ex",
        "",
        None,
        7,
    ],
)
def test_everything_else_is_none(address):
    assert safe_url(address) == ""


def entity(metadata=None, spec=None):
    return Entity(document={"metadata": metadata or {}, "spec": spec or {}})


def test_links_are_called_by_their_title_else_their_address():
    links = [{"url": "https://a.example"}, {"url": "x:y", "title": "Odd"}, {"title": "None"}]
    assert links_of(entity({"links": links})) == [
        Link("https://a.example", "https://a.example"),
        Link("Odd", ""),
    ]


@pytest.mark.parametrize("links", [None, "https://a.example", {"url": "x"}, ["x", 1, None]])
def test_links_of_a_wrong_shape_are_none(links):
    assert links_of(entity({"links": links})) == []


def test_a_team_is_reached_by_mail_then_by_its_links():
    team = entity(
        {"links": [{"url": "https://chat.example/pay", "title": "#pay"}]},
        {"profile": {"email": "pay@a.example"}},
    )
    assert [link.url for link in contact_of(team)] == [
        "mailto:pay@a.example",
        "https://chat.example/pay",
    ]


@pytest.mark.parametrize("profile", [None, "x", {"email": 3}, {}])
def test_a_profile_of_a_wrong_shape_reaches_nobody(profile):
    assert contact_of(entity(spec={"profile": profile})) == []
