"""SCIM groups as groups that role mappings name."""

import pytest
from django.contrib.auth.models import Group, User

from portal.models import AuditEvent, ScimGroup, ScimUser
from portal.scim.groups import members_needed

pytestmark = pytest.mark.django_db


def members(name: str) -> list[str]:
    return sorted(
        User.objects.filter(groups__name=f"scim:{name}").values_list("username", flat=True)
    )


@pytest.fixture
def people(directory):
    return {name: directory.add(name)["id"] for name in ("ana", "ben", "chiara")}


def test_a_group_is_made_with_its_members(directory, people):
    made = directory.add_group("deployers", people["ana"], people["ben"])
    assert [member["value"] for member in made["members"]] == [people["ana"], people["ben"]]
    assert members("deployers") == ["ana", "ben"]
    data = AuditEvent.objects.get(action="scim.group").data
    assert data == {"joined": ["ana", "ben"]}


@pytest.mark.parametrize("dialect", ["okta", "entra"])
def test_people_join_and_leave_in_each_dialect(directory, people, dialect):
    pk = directory.add_group("deployers", people["ana"])["id"]
    join = {"op": "Add" if dialect == "entra" else "add", "path": "members"}
    member = {"$ref": None, "value": people["ben"]}
    if dialect == "okta":
        member = {"value": people["ben"], "display": "ben@limelight.example"}
    answer = directory.patch(f"Groups/{pk}", {**join, "value": [member]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert members("deployers") == ["ana", "ben"]
    leave = {
        "okta": {"op": "remove", "path": f'members[value eq "{people["ana"]}"]'},
        "entra": {"op": "Remove", "path": "members", "value": [{"value": people["ana"]}]},
    }
    directory.patch(f"Groups/{pk}", leave[dialect])
    assert members("deployers") == ["ben"]
    directory.patch(f"Groups/{pk}", leave[dialect])
    assert members("deployers") == ["ben"]


def test_all_members_are_replaced_or_removed(directory, people):
    pk = directory.add_group("deployers", people["ana"], people["ben"])["id"]
    whole = [{"value": people["chiara"]}]
    directory.patch(f"Groups/{pk}", {"op": "replace", "path": "members", "value": whole})
    assert members("deployers") == ["chiara"]
    directory.patch(f"Groups/{pk}", {"op": "replace", "value": {"members": []}})
    assert members("deployers") == []
    directory.patch(f"Groups/{pk}", {"op": "add", "value": {"members": whole}})
    directory.patch(f"Groups/{pk}", {"op": "remove", "path": "members"})
    assert members("deployers") == []


def test_a_put_says_the_whole_group(directory, people):
    made = directory.add_group("deployers", people["ana"])
    sent = {**made, "members": [{"value": people["ben"], "display": "Ben"}]}
    answer = directory.call("PUT", f"Groups/{made['id']}", sent)
    assert [member["value"] for member in answer.json()["members"]] == [people["ben"]]
    assert members("deployers") == ["ben"]


def test_a_renamed_group_gives_what_its_new_name_is_mapped_to(directory, people):
    pk = directory.add_group("deployers", people["ana"])["id"]
    rename = {"op": "replace", "value": {"id": pk, "displayName": "shippers"}}
    assert directory.patch(f"Groups/{pk}", rename).status_code == 204
    assert members("shippers") == ["ana"]
    assert not Group.objects.filter(name="scim:deployers").exists()


def test_a_deleted_group_gives_nothing_any_more(directory, people):
    pk = directory.add_group("deployers", people["ana"])["id"]
    assert directory.call("DELETE", f"Groups/{pk}").status_code == 204
    assert not User.objects.get(username="ana").groups.exists()
    assert directory.call("GET", f"Groups/{pk}").status_code == 404


def test_groups_of_other_origins_are_out_of_reach(directory, people):
    ana = User.objects.get(username="ana")
    ana.groups.add(Group.objects.create(name="idp:deployers"))
    pk = directory.add_group("deployers")["id"]
    directory.patch(f"Groups/{pk}", {"op": "remove", "path": "members"})
    directory.call("DELETE", f"Groups/{pk}")
    assert [group.name for group in ana.groups.all()] == ["idp:deployers"]


@pytest.mark.parametrize("stranger", ["77", "group-1", "", "9" * 30, "½"])
def test_a_member_that_is_no_person_here_is_refused_as_a_whole(directory, people, stranger):
    pk = directory.add_group("deployers")["id"]
    value = [{"value": people["ana"]}, {"value": stranger}]
    answer = directory.patch(f"Groups/{pk}", {"op": "add", "path": "members", "value": value})
    assert answer.status_code == 400
    assert members("deployers") == []


def test_two_groups_have_two_names(directory):
    directory.add_group("deployers")
    answer = directory.call("POST", "Groups", {"displayName": "deployers"})
    assert answer.status_code in {400, 409}
    assert ScimGroup.objects.count() == 1


def test_a_group_may_open_the_administration(directory, people, settings):
    settings.ADMIN_GROUPS = ["scim:admins"]
    pk = directory.add_group("admins", people["ana"])["id"]
    assert User.objects.get(username="ana").is_superuser
    directory.patch(f"Groups/{pk}", {"op": "remove", "path": "members"})
    assert not User.objects.get(username="ana").is_superuser


def test_a_renamed_group_opens_or_closes_the_administration(directory, people, settings):
    settings.ADMIN_GROUPS = ["scim:admins"]
    pk = directory.add_group("people", people["ana"])["id"]
    for name, admin in (("admins", True), ("people", False)):
        directory.patch(f"Groups/{pk}", {"op": "replace", "value": {"displayName": name}})
        assert User.objects.get(username="ana").is_superuser is admin


def test_thousands_join_in_pieces_and_one_costs_as_little_as_in_a_small_group(
    directory, django_assert_max_num_queries
):
    User.objects.bulk_create(User(username=f"person-{number:04}") for number in range(5000))
    ScimUser.objects.bulk_create(
        ScimUser(user=user, user_name=user.username, user_key=user.username)
        for user in User.objects.order_by("pk")
    )
    ids = [str(pk) for pk in ScimUser.objects.order_by("pk").values_list("pk", flat=True)]
    pk = directory.add_group("everybody")["id"]
    for first in range(0, 5000, 1000):
        value = [{"value": one} for one in ids[first : first + 1000]]
        answer = directory.patch(f"Groups/{pk}", {"op": "Add", "path": "members", "value": value})
        assert answer.status_code == 204, answer.content
    assert len(directory.call("GET", f"Groups/{pk}").json()["members"]) == 5000
    leave = {"op": "remove", "path": f'members[value eq "{ids[7]}"]'}
    join = {"op": "add", "path": "members", "value": [{"value": ids[7]}]}
    for operation, number in ((leave, 4999), (join, 5000)):
        with django_assert_max_num_queries(30):
            assert directory.patch(f"Groups/{pk}", operation).status_code == 204
        assert len(members("everybody")) == number


def test_a_patch_of_one_member_reads_one_member():
    one = {"op": "add", "path": "members", "value": [{"value": "7"}]}
    assert members_needed([one]) == {"7"}
    assert members_needed([{"op": "remove", "path": 'members[value eq "7"]'}, one]) == {"7"}
    assert members_needed([{"op": "replace", "path": "displayName", "value": "x"}]) is False
    assert members_needed([one, {"op": "replace", "path": "members", "value": []}]) is True
    assert members_needed([{"op": "remove", "path": 'members[display eq "x"]'}]) is True
    assert members_needed([{"op": "remove", "path": "members"}]) is True
