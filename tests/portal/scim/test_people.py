"""SCIM users as people: the dialects of Okta and Entra, who is whom, who has left."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from portal.leaving import end_access
from portal.models import AuditEvent, Identity, ScimUser
from tests.portal.oidc.provider import sign_in
from tests.portal.scim.directory import USER

pytestmark = pytest.mark.django_db
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OKTA = {
    "schemas": [USER], "userName": "ana@limelight.local", "externalId": "00u1ana",
    "name": {"givenName": "Ana", "familyName": "Ortiz"}, "displayName": "Ana Ortiz",
    "emails": [{"primary": True, "value": "ana@limelight.example", "type": "work"}],
    "locale": "en-US", "groups": [], "password": "1mz050nq", "active": True,
}  # fmt: skip
ENTRA = {
    "schemas": [USER, ENTERPRISE], "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "userName": "ben@limelight.example", "active": True,
    "emails": [{"primary": True, "type": "work", "value": "ben@limelight.example"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "Ben Adler", "familyName": "Adler", "givenName": "Ben"},
    "roles": [], ENTERPRISE: {"department": "Payments"},
}  # fmt: skip


@pytest.mark.parametrize("sent", [OKTA, ENTRA], ids=["okta", "entra"])
def test_a_person_is_made_as_each_directory_sends_them(directory, sent, settings):
    answer = directory.call("POST", "Users", sent)
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"{settings.PORTAL_URL}/scim/v2/Users/{made['id']}"
    assert (made["userName"], made["active"]) == (sent["userName"], True)
    assert "password" not in answer.content.decode()
    user = User.objects.get()
    assert user.get_full_name() == f"{sent['name']['givenName']} {sent['name']['familyName']}"
    assert not user.has_usable_password()
    identity = Identity.objects.get()
    assert (identity.issuer, identity.subject) == (settings.OIDC_OP_ISSUER, sent["externalId"])


def test_a_sign_in_finds_whom_scim_made(client, directory, provider):
    directory.add("ana", externalId=provider.subject)
    sign_in(client, provider)
    assert User.objects.get().identities.get().subject == provider.subject


def test_scim_finds_who_signed_in_before(client, directory, provider):
    sign_in(client, provider)
    directory.add("ana", externalId=provider.subject)
    assert ScimUser.objects.get().user == User.objects.get()


def test_an_address_never_makes_two_accounts_one(directory):
    local = User.objects.create_superuser("root", "ana@limelight.example", "x")
    directory.call("POST", "Users", OKTA)
    assert ScimUser.objects.get().user != local


def test_where_sub_is_another_value_a_claim_ties_both(client, directory, provider, settings):
    """Entra: "sub" differs in each application, "oid" is the person's id, which SCIM sends."""
    settings.SCIM_SUBJECT_CLAIM = "oid"
    directory.add("ana", externalId="the-oid")
    provider.claims["oid"] = "the-oid"
    sign_in(client, provider)
    user = User.objects.get()
    assert set(user.identities.values_list("subject", flat=True)) == {"the-oid", provider.subject}
    provider.subject, provider.claims["oid"] = "subject-2", "the-oid-of-ben"
    sign_in(Client(), provider)
    directory.add("ben", externalId="the-oid-of-ben")
    assert ScimUser.objects.get(user_name="ben").user.identities.filter(subject="subject-2")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"active": False}},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": "active", "value": False},
        {"op": "Add", "path": "ACTIVE", "value": "false"},
        {"op": "Replace", "value": {"active": "False", "name.familyName": "Ortiz"}},
        {"op": "Replace", "path": f"{USER}:active", "value": "False"},
        {"op": "Replace", "value": {USER: {"active": False}}},
    ],
    ids=["okta", "entra", "rfc", "odd", "entra-no-path", "whole-name", "by-schema"],
)
def test_who_has_left_is_out_at_once_in_every_dialect(directory, operation):
    pk = directory.add("ana")["id"]
    user = User.objects.get()
    browser = Client()
    browser.force_login(user)
    answer = directory.patch(f"Users/{pk}", operation)
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert browser.get("/account/").status_code == 302
    user.refresh_from_db()
    assert not user.is_active
    event = AuditEvent.objects.get(action="access.end")
    assert (event.on_behalf_of, event.target) == ("the SCIM client", "user: ana")
    directory.patch(f"Users/{pk}", operation)
    assert AuditEvent.objects.filter(action="access.end").count() == 1


@pytest.mark.parametrize(
    "silent",
    [
        {"op": "remove", "path": "active"},
        {"op": "replace", "path": "active", "value": None},
        {"op": "replace", "value": {"displayName": "Ana"}},
        None,
    ],
)
def test_what_does_not_speak_of_being_active_brings_nobody_back(directory, silent):
    pk = directory.add("ana")["id"]
    directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})
    whole = {"schemas": [USER], "userName": "ana", "externalId": "ana-id"}
    path = f"Users/{pk}"
    answer = directory.patch(path, silent) if silent else directory.call("PUT", path, whole)
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert not User.objects.get().is_active


def test_who_comes_back_is_the_same_person(directory):
    pk = directory.add("ana")["id"]
    directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})
    answer = directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": True}})
    assert answer.json()["active"] is True
    assert User.objects.get().is_active
    assert AuditEvent.objects.filter(action="access.return").count() == 1


def test_whom_an_administrator_ended_no_repetition_brings_back(directory):
    pk = directory.add("ana")["id"]
    end_access(User.objects.get(), why="An administrator ended it.")
    for operation in ({"active": True}, {"displayName": "Ana"}, {"active": True}):
        answer = directory.patch(f"Users/{pk}", {"op": "replace", "value": operation})
        assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert directory.call("PUT", f"Users/{pk}", {**OKTA, "externalId": "ana-id"}).status_code == 200
    assert not User.objects.get().is_active


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("who_first", ["administrator", "directory"])
def test_what_an_administrator_ended_the_directorys_leaving_and_return_does_not_give_back(
    directory, who_first, deleted
):
    boss = User.objects.create_user("boss")
    pk = directory.add("ana")["id"]
    ana = User.objects.get(username="ana")

    def leave():
        if deleted:
            return directory.call("DELETE", f"Users/{pk}")
        return directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})

    if who_first == "directory":
        leave()
    end_access(ana, why="An administrator ended it.", by=boss)
    if who_first == "administrator":
        leave()
    if deleted:
        assert directory.add("ana")["active"] is False
    else:
        back = directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": True}})
        assert back.json()["active"] is False
    ana.refresh_from_db()
    assert not ana.is_active
    assert not AuditEvent.objects.filter(action="access.return").exists()


def test_whom_an_administrator_activated_again_the_directory_ends_and_gives_back(directory):
    pk = directory.add("ana")["id"]
    end_access(User.objects.get(), why="An administrator ended it.")
    User.objects.update(is_active=True)
    for active in (False, True):
        directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": active}})
        assert User.objects.get().is_active is active


def test_a_deleted_person_stays_in_the_trail_and_returns_as_the_same(directory):
    made = directory.add("ana")
    group = directory.add_group("deployers", made["id"])
    assert directory.call("DELETE", f"Users/{made['id']}").status_code == 204
    user = User.objects.get()
    assert not user.is_active
    assert not user.groups.exists()
    assert Identity.objects.get().user == user
    assert directory.call("GET", f"Users/{made['id']}").status_code == 404
    assert directory.call("DELETE", f"Users/{made['id']}").status_code == 404
    assert directory.call("GET", "Users").json()["totalResults"] == 0
    assert "members" not in directory.call("GET", f"Groups/{group['id']}").json()
    assert directory.add("ana.ortiz", externalId="ana-id")["active"] is True
    assert User.objects.get().is_active
    assert User.objects.get() == user


def test_a_put_of_all_that_was_answered_changes_what_differs(directory):
    """As Okta updates: the whole user, with what only we may say of them."""
    made = directory.call("POST", "Users", OKTA).json()
    directory.add_group("deployers", made["id"])
    shown = directory.call("GET", f"Users/{made['id']}").json()
    answer = directory.call("PUT", f"Users/{made['id']}", {**shown, "displayName": "Ana O."})
    assert answer.status_code == 200, answer.content
    after = answer.json()
    assert after.pop("displayName") == "Ana O."
    assert after["meta"].pop("lastModified") > shown["meta"].pop("lastModified")
    assert after == {key: value for key, value in shown.items() if key != "displayName"}
    event = AuditEvent.objects.filter(action="scim.user").first()
    assert event.data["after"] == {"display_name": "Ana O."}


def test_names_follow_and_what_is_removed_goes(directory):
    pk = directory.call("POST", "Users", OKTA).json()["id"]
    answer = directory.patch(
        f"Users/{pk}",
        {"op": "Replace", "path": "name.familyName", "value": "Ortiz-Vega"},
        {"op": "Add", "path": 'emails[type eq "home"].value', "value": "ana@home.example"},
        {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "Search"},
        {"op": "remove", "path": "displayName"},
    )
    data = answer.json()
    assert data["name"]["familyName"] == "Ortiz-Vega"
    assert [email["type"] for email in data["emails"]] == ["work", "home"]
    assert "displayName" not in data
    assert User.objects.get().get_full_name() == "Ana Ortiz-Vega"
    assert User.objects.get().email == "ana@limelight.example"


def test_a_new_external_id_is_how_the_next_sign_in_finds_them(client, directory, provider):
    pk = directory.add("ana", externalId="wrongly-mapped")["id"]
    change = {"op": "replace", "path": "externalId", "value": provider.subject}
    assert directory.patch(f"Users/{pk}", change).status_code == 200
    sign_in(client, provider)
    assert User.objects.count() == 1
    assert Identity.objects.get().subject == provider.subject


def test_an_id_that_somebody_signed_in_by_is_kept(client, directory, provider):
    sign_in(client, provider)
    pk = directory.add("ana", externalId=provider.subject)["id"]
    directory.patch(f"Users/{pk}", {"op": "replace", "path": "externalId", "value": "a-new-one"})
    found = set(User.objects.get().identities.values_list("subject", flat=True))
    assert found == {provider.subject, "a-new-one"}


@pytest.fixture
def by_name(settings, provider):
    """People are known by their user name, which is given to somebody else one day."""
    settings.SCIM_SUBJECT, settings.SCIM_SUBJECT_CLAIM = "userName", "preferred_username"
    provider.claims["preferred_username"] = "bob"


@pytest.mark.parametrize("announced", [True, False], ids=["scim-first", "sign-in-first"])
def test_who_gets_a_user_name_after_another_is_not_them(
    client, directory, provider, by_name, announced
):
    if not announced:
        sign_in(client, provider)
    pk = directory.add("bob")["id"]
    if announced:
        sign_in(client, provider)
    robert = User.objects.get()
    rename = {"op": "replace", "path": "userName", "value": "robert"}
    assert directory.patch(f"Users/{pk}", rename).status_code == 200
    assert not Identity.objects.filter(subject="bob").exists()
    assert ScimUser.objects.get(pk=directory.add("bob")["id"]).user != robert
    provider.subject = "the-new-bob"
    sign_in(Client(), provider)
    new = User.objects.get(identities__subject="the-new-bob")
    assert new == ScimUser.objects.get(user_name="bob").user
    assert robert.identities.filter(subject="the-new-bob").first() is None


def test_a_name_that_is_still_anothers_brings_nobody_into_their_account(
    client, directory, provider, by_name
):
    directory.add("bob")
    sign_in(client, provider)
    bob = User.objects.get()
    provider.subject = "the-new-bob"
    sign_in(Client(), provider)
    assert User.objects.get(identities__subject="the-new-bob") != bob


class TestSplitAccounts:
    """Two people signed in under one user name: the directory's word reaches both."""

    @pytest.fixture
    def bobs(self, client, directory, provider, by_name):
        """The id of SCIM's bob, and the browser of who came under that name later."""
        pk = directory.add("bob")["id"]
        sign_in(client, provider)
        provider.subject, later = "the-new-bob", Client()
        sign_in(later, provider)
        assert User.objects.filter(is_active=True).count() == 2
        return pk, later

    @pytest.mark.parametrize("renamed", [False, True])
    def test_all_end_and_come_back_with_the_one_that_scim_knows(self, directory, bobs, renamed):
        pk, later = bobs
        if renamed:
            rename = {"op": "replace", "path": "userName", "value": "robert"}
            assert directory.patch(f"Users/{pk}", rename).status_code == 200
        for active in (False, False, True):
            directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": active}})
            assert set(User.objects.values_list("is_active", flat=True)) == {active}
        assert later.get("/account/").status_code == 302
        assert AuditEvent.objects.filter(action="access.end").count() == 2
        assert AuditEvent.objects.filter(action="access.return").count() == 2

    def test_all_end_with_a_deletion(self, directory, bobs):
        directory.call("DELETE", f"Users/{bobs[0]}")
        assert not User.objects.filter(is_active=True).exists()

    def test_who_comes_under_the_name_of_who_left_stays_outside(self, directory, provider, bobs):
        directory.patch(f"Users/{bobs[0]}", {"op": "replace", "value": {"active": False}})
        provider.subject, third = "a-third-bob", Client()
        assert sign_in(third, provider)["Location"] == "/signin/failed/"
        assert User.objects.count() == 2

    def test_who_came_after_a_deletion_ends_with_who_is_added_again(
        self, client, directory, provider, by_name
    ):
        pk = directory.add("bob")["id"]
        sign_in(client, provider)
        directory.call("DELETE", f"Users/{pk}")
        provider.subject = "the-new-bob"
        sign_in(Client(), provider)
        pk = directory.add("bob")["id"]
        directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})
        assert not User.objects.filter(is_active=True).exists()

    def test_who_was_renamed_to_the_name_ends_with_it(self, client, directory, provider, by_name):
        provider.subject, provider.claims["preferred_username"] = "carl", "carl"
        sign_in(client, provider)
        pk = directory.add("bob")["id"]
        provider.claims["preferred_username"] = "bob"
        sign_in(client, provider)
        directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})
        assert not User.objects.filter(is_active=True).exists()

    def test_whom_scim_knows_by_themselves_goes_by_their_own_word(self, directory, bobs):
        rename = {"op": "replace", "path": "userName", "value": "robert"}
        directory.patch(f"Users/{bobs[0]}", rename)
        directory.add("bob")
        directory.patch(f"Users/{bobs[0]}", {"op": "replace", "value": {"active": False}})
        assert User.objects.get(identities__subject="the-new-bob").is_active
        assert bobs[1].get("/account/").status_code == 200


def test_a_name_that_several_signed_in_by_is_refused(client, directory, provider, by_name):
    sign_in(client, provider)
    provider.subject = "the-new-bob"
    sign_in(Client(), provider)
    answer = directory.call("POST", "Users", {"schemas": [USER], "userName": "bob"})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    assert not ScimUser.objects.exists()


def test_two_people_are_never_one(directory):
    directory.add("ana")
    same_name = directory.call(
        "POST", "Users", {"schemas": [USER], "userName": "ANA", "externalId": "other"}
    )
    same_subject = directory.call(
        "POST", "Users", {"schemas": [USER], "userName": "other", "externalId": "ana-id"}
    )
    ben = directory.add("ben")["id"]
    taken = directory.patch(
        f"Users/{ben}", {"op": "replace", "path": "externalId", "value": "ana-id"}
    )
    for answer in (same_name, same_subject, taken):
        assert answer.status_code == 409
        assert answer.json()["scimType"] == "uniqueness"
        assert answer.json()["status"] == "409"
    assert User.objects.count() == 2


def test_without_the_value_that_sign_ins_are_found_by_nobody_is_made(directory):
    answer = directory.call("POST", "Users", {"schemas": [USER], "userName": "ana"})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert "externalId" in answer.json()["detail"]
    assert not User.objects.exists()


def test_groups_of_a_person_are_shown_and_only_read(directory):
    made = directory.add("ana", groups=[{"value": "77"}])
    directory.add_group("deployers", made["id"])
    shown = directory.call("GET", f"Users/{made['id']}").json()["groups"]
    assert [group["display"] for group in shown] == ["deployers"]
    assert Group.objects.get().name == "scim:deployers"
