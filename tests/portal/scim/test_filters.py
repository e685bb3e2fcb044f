"""What clients look people and groups up by."""

import pytest

from tests.portal.scim.directory import USER

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(directory):
    for name in ("ben", "chiara"):
        directory.add(name, displayName=name.title())
    return directory.add("ana", displayName="Ana Ortiz")


def found(directory, where, path="Users", **query):
    answer = directory.call("GET", path, filter=where, **query)
    assert answer.status_code == 200, answer.content
    names = ("userName", "displayName")
    return [item.get(names[path == "Groups"]) for item in answer.json().get("Resources", [])]


@pytest.mark.parametrize(
    "where",
    [
        'userName eq "ana"', 'USERNAME Eq "ANA"', 'externalId eq "ana-id"',
        'displayName eq "ana ortiz"', 'userName eq "ana" and active eq true',
        'userName eq "ana" and active eq "True"', f'{USER}:userName eq "ana"',
        'id eq "{id}" and externalId eq "ana-id"', 'userName eq "nobody" or id eq "{id}"',
    ],
)  # fmt: skip
def test_people_are_found(directory, ana, where):
    assert found(directory, where.replace("{id}", ana["id"])) == ["ana"]


@pytest.mark.parametrize(
    "where",
    [
        'userName eq "nobody"',
        'id eq "x"',
        'externalId eq "ANA-ID"',
        "active eq false",
        'active eq "False"',
    ],
)
def test_nobody_is_found(directory, ana, where):
    assert found(directory, where) == []


@pytest.mark.parametrize(
    "where",
    [
        "userName", 'userName co "a"', "userName pr", 'not (userName eq "ana")', 'x eq "y"',
        'emails[type eq "work"]', 'userName eq "ana', 'userName eq "a" and',
        'displayName eq "\\ud800"', 'userName eq "a\\u0000" or id eq "1"',
        "(" * 5000, 'userName eq "a"' + ' and userName eq "a"' * 2000,
    ],
)  # fmt: skip
def test_what_is_not_looked_up_is_said(directory, ana, where):
    answer = directory.call("GET", "Users", filter=where)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


def test_pages_begin_at_one_and_are_bounded(directory, ana):
    first = directory.call("GET", "Users", startIndex=1, count=2).json()
    assert (first["totalResults"], first["itemsPerPage"], first["startIndex"]) == (3, 2, 1)
    second = directory.call("GET", "Users", startIndex=3, count=2).json()
    assert [item["userName"] for item in second["Resources"]] == ["ana"]
    none = directory.call("GET", "Users", count=0).json()
    assert (none["totalResults"], none["itemsPerPage"]) == (3, 0)
    beyond = directory.call("GET", "Users", startIndex=9).json()
    assert (beyond["totalResults"], beyond["Resources"]) == (3, [])
    far = directory.call("GET", "Users", startIndex="9" * 23)
    assert (far.status_code, far.json().get("Resources", [])) == (200, [])
    assert directory.call("GET", "Users", startIndex="-7", count="9" * 5).status_code == 200
    assert directory.call("GET", "Users", count="many").status_code == 400


def test_groups_are_found_by_name_and_by_member(directory, ana):
    group = directory.add_group("deployers", ana["id"])
    directory.add_group("others")
    directory.patch(f"Groups/{group['id']}", {"op": "Add", "path": "externalId", "value": "g-1"})
    for where in ('displayName eq "deployers"', 'externalId eq "g-1"'):
        assert found(directory, where, "Groups") == ["deployers"]
    by_member = f'id eq "{group["id"]}" and members eq "{ana["id"]}"'
    assert found(directory, by_member, "Groups") == ["deployers"]
    short = directory.call("GET", "Groups", excludedAttributes="members").json()["Resources"]
    assert all("members" not in item for item in short)
