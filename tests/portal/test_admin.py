"""Django admin: who gets in, what it refuses, and that every change is in the trail."""

from urllib.parse import unquote

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from portal import audit, hooks
from portal.audited_admin import AuditedModelAdmin
from portal.models import AuditEvent, Identity, Role, RoleMapping, UserLink
from tests.steps import save

pytestmark = pytest.mark.django_db
REFS = {
    "team": [("group:default/payments", "Payments")],
    "service": [("component:default/payments-api", "payments-api")],
    "environment": [("staging", "Staging")],
    "tag": [("java", "")],
    "label": [("tier=Gold", "")],
    "server": [("jenkins", "Jenkins")],
    "pipeline": [("jenkins:Pay/deploy", "")],
}


@pytest.fixture
def administrator(client: Client) -> User:
    user = User.objects.create_superuser("root", "root@example.com", "p", first_name="Root")
    client.force_login(user)
    return user


@pytest.fixture
def role() -> Role:
    return Role.objects.get_or_create(
        slug="deployer", defaults={"name": "Deployer", "permissions": ["build.start"]}
    )[0]


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room above that knows one team, one service and one environment."""
    monkeypatch.setattr(hooks.scope_choices, "_functions", [lambda kind: REFS.get(kind, [])])


def mapping_form(role: Role, **values: str) -> dict[str, str]:
    form = {
        "group": "idp:payments-deployers", "role": str(role.pk), "scope_kind": "everything",
        "scope_ref": "", "environment": "", "note": "",
    }  # fmt: skip
    return {**form, **values}


def add_mapping(client: Client, role: Role, **values: str):
    return save(client, reverse("admin:portal_rolemapping_add"), mapping_form(role, **values))


def errors_of(response) -> str:
    assert response.status_code == 200
    return " ".join(str(error) for error in response.context["adminform"].form.errors.values())


# --- The way in ------------------------------------------------------------------------------
def test_a_stranger_is_sent_to_the_portals_sign_in(client):
    response = client.get("/admin/portal/role/", follow=True)
    assert unquote(response.redirect_chain[-1][0]) == "/signin/?next=/admin/portal/role/"
    posted = client.post("/admin/login/", {"username": "a", "password": "b"})
    assert posted["Location"] == "/signin/?next=%2F&ended=sent"


def test_a_person_who_is_no_administrator_is_told_so_and_it_is_recorded(client):
    client.force_login(User.objects.create_user("mara"))
    response = client.get("/admin/", follow=True)
    assert response.status_code == 403
    assert "The administration is for administrators" in response.content.decode()
    event = AuditEvent.objects.get(action="page.deny")
    assert (event.outcome, event.rule) == ("denied", "admin.staff_only")


def test_signing_out_of_admin_signs_out_of_the_portal(client, administrator):
    assert client.post("/admin/logout/")["Location"] == "/signed-out/"
    assert AuditEvent.objects.filter(action="signout").exists()


# --- Role mappings ---------------------------------------------------------------------------
def test_adding_changing_and_deleting_a_mapping_is_recorded(client, administrator, role, catalog):
    add_mapping(client, role, scope_kind="team", scope_ref=" Group:default/Payments ")
    mapping = RoleMapping.objects.get()
    assert mapping.scope_ref == "group:default/payments"
    added = AuditEvent.objects.get(action="admin.add")
    assert (added.actor, added.outcome) == ("Root", "ok")
    assert added.target == f"role mapping: {mapping}"
    assert added.data["after"]["group"] == "idp:payments-deployers"
    assert added.request_id

    url = reverse("admin:portal_rolemapping_change", args=[mapping.pk])
    save(client, url, mapping_form(role, note="asked for in May"))
    changed = AuditEvent.objects.get(action="admin.change")
    assert changed.data["before"] == {
        "scope_kind": "team", "scope_ref": "group:default/payments", "note": "",
    }  # fmt: skip
    assert changed.data["after"]["note"] == "asked for in May"

    save(client, reverse("admin:portal_rolemapping_delete", args=[mapping.pk]), {})
    deleted = AuditEvent.objects.get(action="admin.delete")
    assert deleted.data["before"]["role"] == "Deployer"
    assert not RoleMapping.objects.exists()


def test_deleting_from_the_list_is_recorded_one_by_one(client, administrator):
    for name in ("ana", "ben"):
        user = User.objects.create_user(name)
        UserLink.objects.create(user=user, user_ref=f"user:default/{name}", how="admin")
    pks = list(UserLink.objects.values_list("pk", flat=True))
    form = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    client.post(reverse("admin:portal_userlink_changelist"), form)
    assert AuditEvent.objects.filter(action="admin.delete").count() == 2


def test_saving_without_a_change_records_nothing(client, administrator, role):
    add_mapping(client, role)
    url = reverse("admin:portal_rolemapping_change", args=[RoleMapping.objects.get().pk])
    client.post(url, mapping_form(role))
    assert not AuditEvent.objects.filter(action="admin.change").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"group": "payments-deployers"}, "write &quot;idp:payments-deployers&quot;"),
        ({"group": "idp:"}, "begins with &quot;idp:&quot;"),
        ({"group": "gitlab:x"}, "Others begin with &quot;idp-claim:&quot;"),
        ({"group": "idp-claim:department"}, "Write the claim and its value"),
        ({"group": "team:group:default/paymnets"}, "The catalog has no team"),
        ({"scope_kind": "server", "scope_ref": "jenkinz"}, "no CI server &quot;jenkinz&quot;"),
        ({"scope_kind": "pipeline", "scope_ref": "jenkins:x/*"}, "No pipeline&#x27;s name matches"),
        ({"scope_kind": "tag", "scope_ref": "jawa"}, "Did you mean &quot;java&quot;?"),
        ({"scope_kind": "label", "scope_ref": "tier"}, "has no label &quot;tier&quot;"),
        ({"branches": "main release"}, "no branch has a space"),
        ({"parameters": "TARGET"}, "is no rule"),
        ({"hours": "Mon-Fri 8-18"}, "is not understood"),
        ({"scope_kind": "team"}, "Say which"),
        ({"scope_ref": "group:default/payments"}, "Leave this empty"),
        (
            {"scope_kind": "team", "scope_ref": "group:default/paymnets"},
            "The catalog has no team &quot;group:default/paymnets&quot;. "
            "Did you mean &quot;group:default/payments&quot;?",
        ),
        ({"scope_kind": "service", "scope_ref": "group:default/payments"}, "no service"),
        ({"environment": "prodution"}, "prodution is not one of the available choices"),
    ],
)
@pytest.mark.usefixtures("administrator", "catalog")
def test_a_mapping_that_would_grant_nothing_is_refused(client, role, values, words):
    assert words in errors_of(add_mapping(client, role, **values))
    assert not RoleMapping.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"group": "github:limelight/payments", "scope_kind": "server", "scope_ref": "jenkins"},
        {"group": "team:group:default/payments", "scope_kind": "tag", "scope_ref": "java"},
        {"group": "idp-claim:department=pay", "scope_kind": "label", "scope_ref": "tier=Gold"},
        {"group": "scim:pay", "scope_kind": "pipeline", "scope_ref": "jenkins:Pay/*"},
        {"branches": "main, release/*", "parameters": "N: integer", "hours": "08:00-18:00 UTC"},
    ],
)
@pytest.mark.usefixtures("administrator", "catalog")
def test_a_mapping_is_kept_as_it_was_written(client, role, values):
    add_mapping(client, role, **values)
    assert RoleMapping.objects.filter(**values).count() == 1


def test_a_roles_permissions_are_ticked(client, administrator, role):
    url = reverse("admin:portal_role_change", args=[role.pk])
    page = client.get(url).content.decode()
    assert 'value="build.start" id="id_permissions' in page
    assert "checked" in page
    form = {"name": "Deployer", "slug": "deployer", "rank": "40", "permissions": ["log.view"]}
    assert save(client, url, form).status_code == 302
    role.refresh_from_db()
    assert role.permissions == ["log.view"]
    assert client.post(url, {**form, "permissions": ["all.of.it"]}).status_code == 200
    changed = AuditEvent.objects.get(action="admin.change")
    assert changed.data["after"]["permissions"] == ["log.view"]


def test_the_form_proposes_groups_that_arrived_and_what_the_catalog_knows(
    client, administrator, role, catalog
):
    Group.objects.create(name="idp:seen-here")
    Group.objects.create(name="github:limelight")
    Group.objects.create(name="local")
    page = client.get(reverse("admin:portal_rolemapping_add")).content.decode()
    for words in (
        'value="idp:seen-here"', 'value="github:limelight"', 'value="team:group:default/payments"',
        'value="group:default/payments"', 'value="jenkins"', 'value="tier=Gold"', ">Staging<",
    ):  # fmt: skip
        assert words in page
    assert 'value="local"' not in page


def test_without_rooms_that_know_scopes_any_ref_is_taken(client, administrator, role, monkeypatch):
    monkeypatch.setattr(hooks.scope_choices, "_functions", [])
    add_mapping(client, role, scope_kind="team", scope_ref="group:default/x", environment="e")
    assert RoleMapping.objects.get().environment == "e"


def test_an_environment_that_is_gone_can_be_kept(client, administrator, role, catalog):
    mapping = RoleMapping.objects.create(group="idp:a", role=role, environment="old")
    url = reverse("admin:portal_rolemapping_change", args=[mapping.pk])
    assert "old (no such environment any more)" in client.get(url).content.decode()


def test_the_list_counts_people_in_one_query(
    client, administrator, role, django_assert_max_num_queries
):
    for number in range(30):
        group = Group.objects.create(name=f"idp:g{number}")
        group.user_set.add(administrator)
        RoleMapping.objects.create(group=group.name, role=role)
    with django_assert_max_num_queries(12):
        page = client.get(reverse("admin:portal_rolemapping_changelist")).content.decode()
    assert page.count('<td class="field-people">1</td>') == 30


# --- The trail -------------------------------------------------------------------------------
def test_nobody_changes_the_trail(client, administrator):
    event = audit.record("signin", user=administrator, data={"api_token": "abc"})
    assert client.get(reverse("admin:portal_auditevent_add")).status_code == 403
    change = reverse("admin:portal_auditevent_change", args=[event.pk])
    assert client.post(change, {"reason": "x"}).status_code == 403
    assert (
        client.post(reverse("admin:portal_auditevent_delete", args=[event.pk])).status_code == 403
    )
    form = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}
    client.post(reverse("admin:portal_auditevent_changelist"), form)
    event.refresh_from_db()
    assert event.reason == ""
    page = client.get(change).content.decode()
    assert "(redacted)" in page
    assert "abc" not in page


def test_the_trail_is_filtered_and_searched(client, administrator):
    audit.record("signin", user=administrator, target="needle")
    audit.record("signin.failed", outcome="failed", target="hay")
    url = reverse("admin:portal_auditevent_changelist")

    def targets(query: str) -> list[str]:
        found = client.get(f"{url}?{query}").context["cl"].queryset
        return sorted(found.values_list("target", flat=True))

    assert targets("action=signin") == ["needle"]
    assert targets("outcome__exact=failed") == ["hay"]
    assert targets("q=needle") == ["needle"]
    assert targets("at__gte=2999-01-01 00:00:00Z") == []


# --- People ----------------------------------------------------------------------------------
def user_form(user: User, **values: str) -> dict[str, str]:
    form = {"username": user.username, "first_name": "", "last_name": "", "email": ""}
    return {**form, "is_active": "on", **values}


def test_deactivating_a_person_is_recorded_and_ends_what_runs_for_them(
    client, administrator, monkeypatch
):
    ended: list[User] = []
    monkeypatch.setattr(hooks.access_ended, "_functions", [ended.append])
    user = User.objects.create_user("mara")
    url = reverse("admin:auth_user_change", args=[user.pk])
    client.post(url, user_form(user, is_active=""))
    user.refresh_from_db()
    assert not user.is_active
    assert ended == [user]
    assert AuditEvent.objects.get(action="admin.change").data["after"] == {"is_active": False}


def test_a_person_is_never_deleted(client, administrator):
    user = User.objects.create_user("mara")
    assert client.post(reverse("admin:auth_user_delete", args=[user.pk])).status_code == 403


def test_groups_and_identities_come_with_sign_ins_only(client, administrator):
    group = Group.objects.create(name="idp:a")
    identity = Identity.objects.create(issuer="https://id", subject="s", user=administrator)
    for name, pk in (("auth_group", group.pk), ("portal_identity", identity.pk)):
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403
        page = client.get(reverse(f"admin:{name}_change", args=[pk])).content.decode()
        assert 'name="_save"' not in page
        assert "permissions" not in page


def test_an_administrators_link_says_whose_word_it_is(client, administrator):
    user = User.objects.create_user("mara")
    form = {"user": str(user.pk), "user_ref": "user:default/mara"}
    save(client, reverse("admin:portal_userlink_add"), form)
    link = UserLink.objects.get()
    assert (link.how, link.by) == (UserLink.How.ADMIN, administrator)
    assert AuditEvent.objects.filter(action="admin.add").exists()


# --- All of it -------------------------------------------------------------------------------
def test_every_model_in_admin_is_audited():
    plain = [
        model._meta.label
        for model, model_admin in admin.site._registry.items()
        if not isinstance(model_admin, AuditedModelAdmin)
    ]
    assert plain == []


def test_every_list_opens_and_no_form_fails(client, administrator):
    for model in admin.site._registry:
        name = model._meta.label_lower.replace(".", "_")
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200, name
        assert client.get(reverse(f"admin:{name}_add")).status_code in {200, 403}, name
