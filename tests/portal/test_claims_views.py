"""The claims inspector: what arrived, what it became, for oneself and for administrators."""

from html import unescape

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from portal.models import AuditEvent, Identity, Role, RoleMapping
from tests.portal.oidc.provider import Provider, sign_in
from tests.portal.oidc.quirks import QUIRKS

pytestmark = pytest.mark.django_db


def text(client: Client, path: str = "/account/claims/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


@pytest.fixture
def mapping() -> RoleMapping:
    role = Role.objects.create(slug="starter", name="Starter", permissions=["build.start"])
    return RoleMapping.objects.create(
        group="idp:payments", role=role, scope_kind="team", scope_ref="group:default/payments",
        environment="staging",
    )  # fmt: skip


def test_account_claims_needs_a_session(client):
    assert client.get("/account/claims/")["Location"] == "/signin/?next=/account/claims/"


def test_account_claims_shows_every_claim_and_what_it_became(client, provider, mapping):
    provider.userinfo = {
        "groups": ["payments", "chess", 7], "email": "m@example.com", "department": "Tickets",
        "access_token": "never-shown", "catalog_user": "user:default/mara",
    }  # fmt: skip
    sign_in(client, provider)
    page = text(client)
    for words in (
        "idp:payments", "Starter", "for group:default/payments, in staging",
        "idp:chess", "No mapping uses it", "It is a number, not a name.",
        "3 arrived, 1 gives something, 1 was left out",
        "Tickets", "nothing; Stagedoor does not use it", "m@example.com",
        "the person in the catalog: user:default/mara", "who the person is, at this provider",
    ):  # fmt: skip
        assert words in page, words
    assert "never-shown" not in page
    assert provider.nonce not in page
    assert 'href="/admin/' not in page


def test_account_claims_says_why_groups_may_be_missing(client, provider):
    provider.claims = QUIRKS["entra-overage"]["claims"]
    sign_in(client, provider)
    page = text(client)
    assert "Not all groups are known, so you may only read." in page
    assert "a pointer in place of the groups" in page
    assert "older ones are gone" in page
    assert "Not all of your groups are known" in text(client, "/account/")
    assert "OIDC_GRAPH_URL" in page


def test_account_claims_says_what_follows_where_no_groups_come(client, provider):
    provider.claims = QUIRKS["google-none"]["claims"]
    sign_in(client, provider)
    assert "Roles come from elsewhere, then" in text(client)


def test_account_claims_shows_ids_by_their_names(client, provider, settings):
    quirk = QUIRKS["entra-object-ids"]
    settings.OIDC_GROUP_NAMES = quirk["settings"]["OIDC_GROUP_NAMES"]
    provider.claims = quirk["claims"]
    sign_in(client, provider)
    assert "Payments deployers" in text(client)
    assert "Payments deployers" in text(client, "/account/")


def test_account_claims_says_when_settings_have_changed_since(client, provider, settings):
    provider.claims = {"groups": ["/a/b"]}
    sign_in(client, provider)
    assert "the settings of that moment, which are today's" in text(client)
    settings.OIDC_GROUPS_FORMAT = "name"
    page = text(client)
    assert "OIDC_GROUPS_FORMAT was “as-sent” and is “name” now" in page
    assert '<span class="mono">idp:/a/b</span><br>' in page
    assert 'by today\'s settings <span class="mono">idp:b</span>' in page


def test_account_claims_tells_what_another_claim_would_give(client, provider, mapping, settings):
    provider.claims = {"groups": ["chess"], "roles": ["payments"], "person": "user:default/mara"}
    settings.OIDC_USER_REF_CLAIM = "person"
    sign_in(client, provider)
    settings.OIDC_GROUPS_CLAIM, settings.OIDC_USER_REF_CLAIM = "roles", "other"
    page = text(client)
    assert "OIDC_USER_REF_CLAIM was “person” and is “other” now" in page
    assert "the person in the catalog: user:default/mara" in page
    assert "1 arrived, 0 give something" in page
    assert 'by today\'s settings <span class="mono">nothing</span>' in page
    assert "Nothing then" in page
    assert "with the next sign-in" in page


def test_account_claims_from_before_settings_were_kept_says_so(client, provider):
    sign_in(client, provider)
    Identity.objects.update(rules={})
    assert "today's settings; those of that moment were not kept yet" in text(client)


def test_account_claims_of_thousands_of_groups_are_pages_that_can_be_searched(
    client, provider, mapping, django_assert_max_num_queries
):
    many = [f"group-{number:04}" for number in range(5000)]
    provider.claims = {"groups": [*many, "payments"]}
    sign_in(client, provider)
    with django_assert_max_num_queries(12):
        page = text(client)
    assert "Page 1 of 51" in page
    assert page.index("idp:payments") < page.index("idp:group-0000")
    assert "idp:group-4999" in text(client, "/account/claims/?page=51")
    found = text(client, "/account/claims/?q=Group-4321")
    assert "idp:group-4321" in found
    assert "idp:group-0001" not in found
    assert "has “nope” in its name" in text(client, "/account/claims/?q=nope")
    account = text(client, "/account/")
    assert "and 4951 more that give none" in account
    assert "Starter" in account


def test_account_claims_of_a_local_account_are_none(client):
    client.force_login(User.objects.create_user("root"))
    assert "You sign in with a local account" in text(client)
    assert "/account/claims/" not in text(client, "/account/")


def test_account_claims_before_the_first_sign_in(client):
    user = User.objects.create_user("mara")
    Identity.objects.create(issuer="https://id.example", subject="s", user=user)
    client.force_login(user)
    assert "You have not signed in through https://id.example since" in text(client)


def test_account_claims_of_two_providers_are_two_pages(client, provider):
    sign_in(client, provider)
    user = User.objects.get()
    other = Identity.objects.create(
        issuer="https://github.com", subject="77", user=user, claims={"login": "mara-k"},
        groups=["limelight/payments"],
    )  # fmt: skip
    page = text(client, f"/account/claims/?account={other.pk}")
    assert "mara-k" in page
    assert "limelight/payments" in page
    assert f'href="?account={user.identities.get(subject="subject-1").pk}"' in page


def test_account_claims_of_somebody_else_are_not_reached_by_their_number(client, provider):
    sign_in(client, provider)
    boss = User.objects.create_user("boss")
    other = Identity.objects.create(
        issuer="https://id.example", subject="s", user=boss, claims={"secretive": "indeed"}
    )
    assert "indeed" not in text(client, f"/account/claims/?account={other.pk}")


def test_person_claims_are_for_administrators_and_leave_a_trace(client, provider):
    provider.userinfo = {"name": "Mara K", "department": "Tickets"}
    sign_in(client, provider)
    mara = User.objects.get()
    path = f"/people/{mara.pk}/claims/"
    other = Client()
    other.force_login(User.objects.create_user("ben"))
    assert other.get(path).status_code == 403
    assert other.get("/people/999999/claims/").status_code == 403
    root = User.objects.create_superuser("root")
    other.force_login(root)
    page = text(other, path)
    assert "What arrived when Mara K signed in" in page
    assert "Tickets" in page
    event = AuditEvent.objects.get(action="claims.view")
    assert (event.actor_id, event.target) == (root.pk, "Mara K")
    assert f'href="{path}"' in text(other, f"/admin/auth/user/{mara.pk}/change/")
    assert other.get("/people/999999/claims/").status_code == 404


def test_person_claims_are_for_who_may_see_who_may_do_what(client, provider):
    sign_in(client, provider)
    mara = User.objects.get()
    role = Role.objects.create(slug="auditor", name="Auditor", permissions=["policy.view"])
    RoleMapping.objects.create(group="idp:auditors", role=role)
    auditor = User.objects.create_user("audit")
    auditor.groups.add(Group.objects.create(name="idp:auditors"))
    other = Client()
    other.force_login(auditor)
    assert "subject-1" in text(other, f"/people/{mara.pk}/claims/")


def test_person_claims_are_not_for_staff_that_is_no_superuser(client, provider: Provider):
    sign_in(client, provider)
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    other = Client()
    other.force_login(clerk)
    assert other.get(f"/people/{User.objects.first().pk}/claims/").status_code == 403
