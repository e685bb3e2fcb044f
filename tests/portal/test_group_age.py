"""Groups that nobody confirms any more let their person read only, whoever asks and by whatever."""

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from portal.access import actor_for
from portal.api_tokens import actor_by, caller_by, create
from portal.dry_run import read_people
from portal.group_age import confirmations, why_of_all
from portal.identities import update_user
from portal.memberships import set_admin
from portal.models import Identity, Role, RoleMapping, ScimUser
from portal.policy import PERMISSIONS, Target, decide

pytestmark = pytest.mark.django_db
ISSUER = "https://id.example"


@pytest.fixture(autouse=True)
def days(settings):
    settings.GROUPS_MAX_AGE_DAYS = 17
    settings.OIDC_OP_ISSUER, settings.OIDC_ISSUER_NAME = ISSUER, "Limelight"
    return settings


@pytest.fixture
def ana():
    user = User.objects.create_user("ana")
    user.groups.add(Group.objects.create(name="idp:web"))
    RoleMapping.objects.create(group="idp:web", role=Role.objects.get(slug="deployer"))
    confirmed(user, 1)
    return user


def confirmed(user, days_ago, issuer=ISSUER, **values):
    at = None if days_ago is None else timezone.now() - timedelta(days=days_ago)
    return Identity.objects.update_or_create(
        user=user, issuer=issuer, subject=user.username, defaults={"confirmed_at": at, **values}
    )[0]


def token_of(user):
    end = timezone.now() + timedelta(days=90)
    return create(user, "script", tuple(PERMISSIONS), end, RequestFactory().get("/"))


def whys(user):
    """As pages, tokens, what a token does later, and the dry run have it."""
    row, token = token_of(user)
    person = next(one for one in read_people([]) if one.user_id == user.pk)
    return {
        actor_for(user).incomplete,
        caller_by(f"Bearer {token}").actor.incomplete,
        actor_by(row.pk).incomplete,
        person.incomplete,
        read_people([], user)[0].incomplete,
    }


def test_whose_groups_nobody_has_confirmed_for_long_reads_and_is_told_to_sign_in(ana):
    assert whys(ana) == {""}
    confirmed(ana, 18)
    (told,) = whys(ana)
    assert told.startswith("Limelight last confirmed the groups on ")
    assert told.endswith("17 days without that only reading is allowed. Sign in again.")
    _, token = token_of(ana)
    for actor in (actor_for(ana), caller_by(f"Bearer {token}").actor):
        now = timezone.now()
        denied = decide(actor, "build.start", Target("it", helpers=("Ben",)), now=now)
        assert (denied.rule, denied.sentence) == ("groups-incomplete", told)
        assert decide(actor, "build.view", Target("it"), now=now).allowed
    update_user(ana, {"iss": ISSUER, "sub": "ana", "groups": ["web"]})
    assert whys(ana) == {""}


def test_the_limit_is_a_setting(ana, settings):
    confirmed(ana, 5)
    settings.GROUPS_MAX_AGE_DAYS = 3
    assert "3 days" in next(iter(whys(ana)))


def test_local_accounts_and_identities_that_give_nothing_do_not_age(ana):
    Identity.objects.all().delete()
    assert whys(ana) == {""}
    confirmed(ana, None, incomplete="")
    assert whys(ana) == {""}


@pytest.mark.parametrize(
    ("pushes", "values", "ages"),
    [
        (True, {}, False),
        (False, {}, True),  # SCIM is switched off by now
        (True, {"active": False}, True),
        (True, {"deleted_at": timezone.now()}, True),
    ],
)
def test_whom_a_directory_keeps_up_to_date_does_not_age(ana, settings, pushes, values, ages):
    settings.SCIM_TOKEN = "s" * 32 if pushes else ""
    ScimUser.objects.create(user=ana, user_name="ana", **values)
    confirmed(ana, 60)
    assert [bool(told) for told in whys(ana)] == [ages]
    assert bool(confirmations([ana.pk])) == ages


def test_one_origin_does_not_confirm_anothers_groups(ana):
    confirmed(ana, 30)
    confirmed(ana, 0, issuer="https://github.com")
    assert "Limelight" in next(iter(whys(ana)))
    assert confirmations([ana.pk])[ana.pk].origin == "Limelight"


def test_an_aged_group_makes_no_administrator_and_a_sign_in_does_again(ana, settings):
    settings.ADMIN_GROUPS = ["idp:web"]
    confirmed(ana, 30)
    assert set_admin(ana) == []
    update_user(ana, {"iss": ISSUER, "sub": "ana", "groups": ["web"]})
    assert User.objects.get(pk=ana.pk).is_superuser


def test_a_provider_that_is_set_up_no_more_locks_nobody_out_who_signs_in(ana, settings):
    settings.ADMIN_GROUPS = ["idp:web"]
    ana.groups.add(Group.objects.create(name="github:limelight"))
    ana.groups.add(Group.objects.create(name="scim:web"))
    old = confirmed(ana, 30, issuer="https://github.com", incomplete="Too many groups.")
    confirmed(ana, 30, issuer="https://github.example")
    assert [bool(told) for told in whys(ana)] == [True]
    changes = update_user(ana, {"iss": ISSUER, "sub": "ana", "groups": ["web"]})
    assert whys(ana) == {""}
    assert "left github:limelight" in changes
    assert set(ana.groups.values_list("name", flat=True)) == {"idp:web", "scim:web"}
    assert User.objects.get(pk=ana.pk).is_superuser
    old.refresh_from_db()
    assert (old.groups, old.confirmed_at) == ([], None)


def test_of_a_provider_that_is_set_up_no_more_no_address_is_told(ana):
    confirmed(ana, 30, issuer="https://github.com")
    (told,) = whys(ana)
    assert told.startswith("A provider that is set up no more last confirmed the groups on ")
    assert told.endswith("Sign in again.")


def test_tokens_and_pages_agree_about_everybody(settings):
    """The SQL of tokens and what pages and the dry run ask, over people of every kind."""
    settings.SCIM_TOKEN = "s" * 32
    chance = random.Random(4)
    for number in range(120):
        user = User.objects.create_user(f"u{number}")
        for issuer in chance.sample([ISSUER, "https://github.com", "https://saml"], number % 4):
            why = chance.choice(["", "", "", "Too many groups."])
            confirmed(user, chance.choice([None, 0, 16, 17, 18, 90]), issuer, incomplete=why)
        if chance.random() < 0.3:
            gone = chance.choice([None, timezone.now()])
            active = chance.random() < 0.7
            ScimUser.objects.create(user=user, user_name="x", active=active, deleted_at=gone)
    found = [whys(user) for user in User.objects.all()]
    assert {len(told) for told in found} == {1}
    assert len({told for (told,) in found}) > 5
    assert len(why_of_all()) == sum(bool(told) for (told,) in found)


def test_token_list_says_until_when_groups_count(client, ana):
    token_of(ana)
    client.force_login(ana)
    page = client.get(reverse("portal:token_list")).content.decode()
    assert "confirms your groups at each sign-in" in page
    confirmed(ana, 12)
    page = client.get(reverse("portal:token_list")).content.decode()
    assert "on your tokens only read. Sign in again." in page
    assert "notice--warning" in page
