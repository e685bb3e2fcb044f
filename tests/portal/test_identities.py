"""Claims become users, groups and links: by issuer and subject, and nothing by surprise."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from portal.access import actor_for
from portal.identities import create_user, update_user
from portal.models import AuditEvent, Identity, Role, RoleMapping, UserLink
from portal.policy import Decision, Target, decide
from tests.portal.oidc.provider import DROP, Provider, sign_in, without_dropped

pytestmark = pytest.mark.django_db
ISSUER = "https://id.example"


def claims(subject: str = "s-1", **values: Any) -> dict[str, Any]:
    return without_dropped({"iss": ISSUER, "sub": subject, "groups": [], **values})


def arrive(subject: str = "s-1", **values: Any) -> User:
    """One sign-in, as the backend does it."""
    told = claims(subject, **values)
    user = User.objects.filter(identities__subject=subject).first() or create_user(told)
    update_user(user, told)
    return user


def names_of(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def test_groups_arrive_with_the_first_sign_in(client: Client, provider: Provider):
    provider.userinfo = {"groups": ["payments", "payments-deployers"]}
    sign_in(client, provider)
    assert names_of(User.objects.get()) == ["idp:payments", "idp:payments-deployers"]
    assert Identity.objects.get().groups == ["payments", "payments-deployers"]


def test_groups_arrive_in_the_id_token_too(client: Client, provider: Provider):
    provider.claims = {"groups": ["payments"]}
    sign_in(client, provider)
    assert names_of(User.objects.get()) == ["idp:payments"]


def test_two_people_with_one_address_stay_two(client: Client, provider: Provider):
    provider.userinfo = {"email": "mara@example.com", "email_verified": True}
    sign_in(client, provider)
    provider.subject = "subject-2"
    sign_in(Client(), provider)
    assert User.objects.filter(email="mara@example.com").count() == 2


def test_an_address_never_leads_into_a_local_account(client: Client, provider: Provider):
    User.objects.create_superuser("root", "root@example.com", "p")
    provider.userinfo = {"email": "root@example.com", "preferred_username": "root"}
    sign_in(client, provider)
    user = Identity.objects.get().user
    assert user.username == "root-2"
    assert not user.is_superuser


def test_one_subject_at_two_issuers_is_two_people():
    first = create_user(claims())
    second = create_user({**claims(), "iss": "https://other.example"})
    assert first != second


def test_a_subject_of_another_issuer_is_another_person(client: Client, provider: Provider):
    boss = User.objects.create_superuser("boss", "boss@example.com", "p")
    Identity.objects.create(issuer=ISSUER, subject=provider.subject, user=boss)
    sign_in(client, provider)
    assert client.session["_auth_user_id"] != str(boss.pk)
    assert Identity.objects.get(issuer=ISSUER).user == boss


def test_a_second_creation_of_one_identity_gives_the_first_user():
    assert create_user(claims()) == create_user(claims())
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"preferred_username": "mara"}, "mara"),
        ({"email": "mara.k@example.com"}, "mara.k"),
        ({"name": "Mara Köhler"}, "Mara-Köhler"),
        ({"preferred_username": "corp\\mara\0"}, "corp-mara"),
        ({"preferred_username": "///"}, "person"),
        ({"preferred_username": ["x"]}, "person"),
        ({}, "person"),
        ({"preferred_username": "x" * 400}, "x" * 100),
    ],
)
def test_usernames_are_readable(told, expected):
    assert create_user(claims(**told)).username == expected


def test_usernames_differ_in_more_than_case():
    names = [create_user(claims(s, preferred_username=n)).username for s, n in
             [("1", "Mara"), ("2", "mara"), ("3", "MARA"), ("4", "mara-2")]]  # fmt: skip
    assert names == ["Mara", "mara-2", "MARA-3", "mara-2-2"]


def test_what_a_person_is_called_follows_the_provider_and_the_username_stays():
    user = arrive(
        preferred_username="mara", given_name="Mara", family_name="K", email="m@a.example"
    )
    user = arrive(preferred_username="other", given_name="Mara", family_name="L", email="no mail")
    assert (user.username, user.get_full_name(), user.email) == ("mara", "Mara L", "")


def test_only_groups_of_the_providers_prefix_are_replaced():
    user = arrive(groups=["a", "b"])
    for name in ("local", "other-idp:a"):
        user.groups.add(Group.objects.create(name=name))
    arrive(groups=["b", "c"])
    assert names_of(user) == ["idp:b", "idp:c", "local", "other-idp:a"]


def test_groups_that_leave_and_arrive_are_in_the_trail(client: Client, provider: Provider):
    provider.userinfo = {"groups": ["a"]}
    sign_in(client, provider)
    provider.userinfo = {"groups": ["b"]}
    sign_in(Client(), provider)
    event = AuditEvent.objects.filter(action="signin.groups").first()
    assert event.data["what"] == ["joined idp:b", "left idp:a"]


def test_a_group_of_the_provider_never_holds_a_django_permission():
    user = arrive(groups=["a"])
    Group.objects.get(name="idp:a").permissions.set(Permission.objects.all()[:3])
    arrive(groups=["a"])
    assert not Group.objects.get(name="idp:a").permissions.exists()
    assert User.objects.get(pk=user.pk).get_all_permissions() == set()


def test_a_claim_that_is_gone_takes_all_groups_with_it(client: Client, provider: Provider):
    provider.userinfo = {"groups": ["a"]}
    sign_in(client, provider)
    provider.userinfo = {}
    sign_in(Client(), provider)
    assert names_of(User.objects.get()) == []


def test_what_is_left_out_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        arrive(groups=["a", 7])
    assert "groups of s-1: 1 of 2 left out" in caplog.text


def test_groups_that_may_be_incomplete_are_those_that_arrived_and_no_older_ones():
    user = arrive(groups=["a", "b"])
    arrive(_claim_names={"groups": "src1"}, groups=DROP)
    assert names_of(user) == []
    hundred = [f"g{number:03}" for number in range(100)]
    arrive(groups=hundred)
    assert names_of(user) == [f"idp:{name}" for name in hundred]
    assert Identity.objects.get().incomplete.startswith("Exactly 100 groups arrived")


def test_who_is_in_part_known_only_reads_until_all_groups_arrive():
    role = Role.objects.create(slug="starter", name="Starter", permissions=["build.start"])
    RoleMapping.objects.create(group="idp:g001", role=role)
    user = arrive(groups=[f"g{number:03}" for number in range(100)])
    refusal = may_start(user)
    assert (refusal.allowed, refusal.rule) == (False, "groups-incomplete")
    assert refusal.reason.startswith(Identity.objects.get().incomplete)
    arrive(groups=["g001"])
    assert Identity.objects.get().incomplete == ""
    assert may_start(user).allowed


def may_start(user: User) -> Decision:
    return decide(actor_for(user), "build.start", Target("a pipeline"), now=timezone.now())


def test_the_trail_knows_when_groups_became_incomplete_and_complete_again():
    arrive(groups=["a"])
    user = User.objects.get()
    [first] = update_user(user, claims(hasgroups=True, groups=DROP))[1:]
    assert first.startswith("not all groups are known: The identity provider sent a pointer")
    assert update_user(user, claims(hasgroups=True, groups=DROP)) == []
    assert update_user(user, claims()) == ["all groups are known"]


def test_nobody_is_administrator_while_groups_may_be_missing(settings):
    settings.OIDC_ADMIN_GROUPS = ["stagedoor-admins"]
    others = [f"g{number}" for number in range(99)]
    user = arrive(groups=["stagedoor-admins", *others])
    user.refresh_from_db()
    assert not user.is_superuser
    arrive(groups=["stagedoor-admins", *others, "one-more"])
    user.refresh_from_db()
    assert user.is_superuser


def test_a_claim_as_group_is_replaced_at_each_sign_in_beside_the_others(settings):
    settings.OIDC_CLAIM_GROUPS = ["department"]
    user = arrive(groups=["a"], department="payments")
    assert names_of(user) == ["idp-claim:department=payments", "idp:a"]
    arrive(groups=["a"], department="search")
    assert names_of(user) == ["idp-claim:department=search", "idp:a"]
    settings.OIDC_CLAIM_GROUPS = []
    arrive(groups=["b"], department="search")
    assert names_of(user) == ["idp:b"]


def test_five_thousand_groups_take_no_more_queries_than_a_few(django_assert_max_num_queries):
    many = [f"group-{number:04}" for number in range(5000)]
    with django_assert_max_num_queries(60):
        user = arrive(groups=many)
    assert user.groups.count() == 5000
    with django_assert_max_num_queries(20):
        arrive(groups=many)
    with django_assert_max_num_queries(10):
        actor_for(user)
    with django_assert_max_num_queries(30):
        arrive(groups=[])
    assert names_of(user) == []


def test_the_trail_names_a_hundred_groups_and_counts_the_rest():
    user = create_user(claims())
    what = update_user(user, claims(groups=[f"g{number:03}" for number in range(250)]))
    assert (len(what), what[99], what[100]) == (101, "joined idp:g099", "joined 150 more")


def test_what_arrived_is_kept_without_tokens():
    arrive(department="x", nonce="n", access_token="t")
    kept = Identity.objects.get().claims
    assert (kept["department"], kept["sub"]) == ("x", "s-1")
    assert (kept["nonce"], kept["access_token"]) == ("(not kept)", "(not kept)")


def test_admin_groups_open_django_admin_and_close_it_again(settings):
    settings.OIDC_ADMIN_GROUPS = ["stagedoor-admins"]
    user = arrive(groups=["stagedoor-admins"])
    assert (user.is_staff, user.is_superuser) == (True, True)
    arrive(groups=["payments"])
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_without_admin_groups_nobody_from_the_provider_is_an_administrator(settings):
    settings.OIDC_ADMIN_GROUPS = []
    user = arrive(groups=["stagedoor-admins"])
    User.objects.update(is_staff=True, is_superuser=True)
    user = arrive(groups=["stagedoor-admins"])
    user.refresh_from_db()
    assert not user.is_superuser


def test_a_local_group_of_the_same_name_makes_no_administrator(settings):
    settings.OIDC_ADMIN_GROUPS = ["stagedoor-admins"]
    user = arrive()
    user.groups.add(Group.objects.create(name="stagedoor-admins"))
    arrive()
    user.refresh_from_db()
    assert not user.is_superuser


def test_the_claim_links_a_person_to_the_catalog(settings):
    settings.OIDC_USER_REF_CLAIM = "catalog_user"
    user = arrive(catalog_user="User:Default/Mara")
    assert user.catalog_link.user_ref == "user:default/mara"
    arrive(catalog_user="team-b/mara")
    assert UserLink.objects.get(user=user).user_ref == "user:team-b/mara"
    arrive()
    assert not UserLink.objects.exists()


@pytest.mark.parametrize("value", ["group:default/x", "a b", "user:x/y/z", 7, "", "user:default/"])
def test_a_claim_that_is_no_person_links_nobody(settings, value):
    settings.OIDC_USER_REF_CLAIM = "catalog_user"
    arrive(catalog_user=value)
    assert not UserLink.objects.exists()


def test_an_administrators_link_stands_above_the_claim(settings):
    settings.OIDC_USER_REF_CLAIM = "catalog_user"
    user = arrive()
    UserLink.objects.create(user=user, user_ref="user:default/mara", how="admin")
    arrive(catalog_user="user:default/ben")
    assert UserLink.objects.get().user_ref == "user:default/mara"


def test_nobody_takes_over_a_person_who_is_linked_already(settings, caplog):
    settings.OIDC_USER_REF_CLAIM = "catalog_user"
    first = arrive("s-1", catalog_user="mara")
    arrive("s-2", catalog_user="mara")
    assert UserLink.objects.get().user == first
    assert "is linked to another account" in caplog.text
