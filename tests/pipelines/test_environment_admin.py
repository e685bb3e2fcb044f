"""Environments and freezes are edited in Django admin: what would protect nothing is refused."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity
from pipelines.freezes import utc
from pipelines.models import Environment, EnvironmentRule, Freeze
from portal.models import AuditEvent, PolicyChange
from tests.catalog.people import give
from tests.pipelines.admin_pages import act
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_pipeline,
    make_server,
    make_service,
)
from tests.steps import go_on, save

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def errors_of(response) -> str:
    assert response.status_code == 200
    return " ".join(str(error) for error in response.context["adminform"].form.errors.values())


# --- Environments -----------------------------------------------------------------------------
def save_environment(client, environment, **values):
    form = {
        "name": environment.name,
        "slug": environment.slug,
        "rank": environment.rank,
        "approvals": 0,
        "approval_minutes": 1440,
        "protected_branches": "",
        "concurrency": "",
        **values,
    }
    url = reverse("admin:pipelines_environment_change", args=[environment.pk])
    return save(client, url, form)


def test_an_environment_is_audited_before_and_after(client, root):
    production = make_environments()[1]
    values = {"approvals": 2, "protected_branches": "main\n release/*", "concurrency": 1}
    assert save_environment(client, production, **values).status_code == 302
    production.refresh_from_db()
    assert (production.approvals, production.concurrency) == (2, 1)
    assert production.protected_branches == "main, release/*"
    data = AuditEvent.objects.get(action="admin.change").data
    assert data["before"] == {"approvals": 0, "protected_branches": "", "concurrency": None}
    assert data["after"]["protected_branches"] == "main, release/*"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("approvals", 11, "At most 10 approvals"),
        ("approval_minutes", 0, "at least a minute"),
        ("approval_minutes", 50_000, "30 days"),
        ("concurrency", 0, "nothing would ever run"),
        ("protected_branches", "main, origin:main", "No branch is called &quot;origin:main&quot;"),
        ("protected_branches", "refs/heads/main", "as people call them"),
    ],
)
def test_what_would_protect_nothing_is_refused(client, root, field, value, error):
    production = make_environments()[1]
    assert error in errors_of(save_environment(client, production, **{field: value}))


def test_an_environment_rule_is_audited(client, root):
    staging, _ = make_environments()
    values = {"order": 5, "server": "*", "pipeline": "*", "branch": "main", "parameter": ""}
    url = reverse("admin:pipelines_environmentrule_add")
    save(client, url, {**values, "environment": staging.pk})
    assert EnvironmentRule.objects.filter(order=5, environment=staging).exists()
    assert AuditEvent.objects.filter(action="admin.add").exists()


def add_rule(client, environment):
    values = {"order": 5, "server": "*", "pipeline": "*", "branch": "main", "parameter": ""}
    url = reverse("admin:pipelines_environmentrule_add")
    shown = client.post(url, {**values, "environment": environment.pk})
    go_on(client, url, shown)
    return shown.content.decode(), EnvironmentRule.objects.filter(order=5).exists()


@pytest.mark.parametrize(
    ("role", "alone", "words", "saved"),
    [
        ("deployer", False, "a second person has to confirm it", False),
        ("deployer", True, "on your word alone", True),
        ("viewer", False, "other runs than before may count", True),
    ],
)
def test_who_runs_builds_gives_them_no_other_environment_alone(  # noqa: PLR0917  cases
    client, root, role, alone, words, saved
):
    """Which build a rule is about shows only with its branch."""
    staging, _ = make_environments()
    give(root, role)
    if not alone:
        make_second()
    page, is_saved = add_rule(client, staging)
    assert words in page
    assert is_saved == saved
    assert PolicyChange.objects.exists() != saved


def make_second():
    return User.objects.create_superuser("lena")


@pytest.mark.parametrize(
    ("values", "waits"),
    [
        ({"allow_unpinned": "on"}, True),
        ({"concurrency": 2}, True),
        ({"concurrency": ""}, True),
        ({"rank": 95}, True),
        ({"concurrency": 1, "name": "Live"}, False),
        ({"concurrency": 1, "approvals": 1}, True),
        ({"concurrency": 1, "approvals": 3}, False),
    ],
)
def test_who_runs_builds_eases_no_environment_alone(client, root, values, waits):
    confirmed_link(make_service("shop"), make_pipeline(make_server(), "shop"))
    production = make_environments()[1]
    Environment.objects.update(concurrency=1, approvals=2)
    give(root, "deployer")
    make_second()
    save_environment(client, production, **{"concurrency": 1, "approvals": 2, **values})
    assert PolicyChange.objects.exists() == waits


# --- Freezes ------------------------------------------------------------------------------------
def freeze_form(starts=0.0, ends=1.0, **values):
    """A form whose times are so many hours from now."""
    now = timezone.now()
    starts_at, ends_at = now + starts * HOUR, now + ends * HOUR
    return {
        "environment": "",
        "scope_kind": "everything",
        "scope_ref": "",
        "starts_at_0": f"{starts_at:%Y-%m-%d}",
        "starts_at_1": f"{starts_at:%H:%M:%S}",
        "ends_at_0": f"{ends_at:%Y-%m-%d}",
        "ends_at_1": f"{ends_at:%H:%M:%S}",
        "reason": "Year-end close.",
        **values,
    }


def add_freeze(client, **values):
    return save(client, reverse("admin:pipelines_freeze_add"), freeze_form(**values))


def make_freeze(starts=0.0, ends=1.0, **values):
    now = timezone.now()
    fields = {"starts_at": now + starts * HOUR, "ends_at": now + ends * HOUR, "reason": "Why"}
    return Freeze.objects.create(**{**fields, **values})


def test_a_freeze_is_set_in_utc_with_who_set_it(client, root):
    assert b"from (utc)" in client.get(reverse("admin:pipelines_freeze_add")).content.lower()
    assert add_freeze(client, environment=make_environments()[1].pk).status_code == 302
    freeze = Freeze.objects.get()
    assert freeze.by == root
    assert abs(freeze.ends_at - timezone.now() - HOUR) < timedelta(minutes=1)
    event = AuditEvent.objects.get(action="admin.add")
    assert event.data["after"]["reason"] == "Year-end close."
    page = client.get(reverse("admin:pipelines_freeze_changelist")).content.decode()
    assert "in force" in page
    assert "UTC" in page


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"starts": 2.0, "ends": 1.0}, "It has to end after it begins"),
        ({"starts": -2.0, "ends": -1.0}, "This time has passed"),
        ({"ends_at_0": "tomorrow"}, "Enter a valid date"),
        ({"reason": " x "}, "Say why"),
        ({"scope_kind": "system"}, "Say which"),
        ({"scope_ref": "component:default/shop"}, "Leave this empty"),
        (
            {"scope_kind": "service", "scope_ref": "component:default/shap"},
            "Did you mean &quot;component:default/shop&quot;?",
        ),
    ],
)
def test_a_freeze_that_would_freeze_nothing_is_refused(client, root, values, error):
    make_service("shop")
    assert error in errors_of(add_freeze(client, **values))
    assert not Freeze.objects.exists()


def test_a_freeze_that_is_over_is_only_looked_at(client, root):
    over = make_freeze(-2, -1)
    url = reverse("admin:pipelines_freeze_change", args=[over.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, freeze_form()).status_code == 403
    delete = reverse("admin:pipelines_freeze_delete", args=[over.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_a_freeze_in_force_is_ended_and_not_deleted(client, root):
    freeze = make_freeze(-1, 5)
    delete = reverse("admin:pipelines_freeze_delete", args=[freeze.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert act(client, "freeze", "end_now", freeze)[-1] == "all environments: Why: ended."
    freeze.refresh_from_db()
    assert freeze.ends_at <= timezone.now()
    assert set(AuditEvent.objects.get(action="admin.change").data["after"]) == {"ends_at"}
    assert act(client, "freeze", "end_now", freeze)[-1] == "all environments: Why: not in force."


def test_nobody_ends_a_freeze_that_stops_themselves(client, root):
    service = make_service("shop")
    make_environments()
    confirmed_link(service, make_pipeline(make_server(), "shop"))
    give(root, "deployer")
    freeze = make_freeze(-1, 5)
    assert "would let you yourself run something" in act(client, "freeze", "end_now", freeze)[-1]
    freeze.refresh_from_db()
    assert freeze.ends_at > timezone.now()


def test_an_end_that_has_passed_ends_a_freeze_when_a_second_person_confirms_it(client, root):
    confirmed_link(make_service("shop"), make_pipeline(make_server(), "shop"))
    make_environments()
    give(root, "deployer")
    assert add_freeze(client, starts=-2, ends=5).status_code == 302
    freeze = Freeze.objects.get()
    url = reverse("admin:pipelines_freeze_change", args=[freeze.pk])
    assert "write a time that has passed" in client.get(url).content.decode()
    begun = {
        "starts_at_0": f"{freeze.starts_at:%Y-%m-%d}",
        "starts_at_1": f"{freeze.starts_at:%H:%M:%S}",
    }
    assert save(client, url, freeze_form(ends=-1, **begun)).status_code == 302
    change = PolicyChange.objects.get()
    page = client.get(reverse("admin:portal_policychange_change", args=[change.pk]))
    [(name, before, after)] = page.context["values"]
    assert (name, before) == ("Until (UTC)", utc(freeze.ends_at))
    assert after == utc(freeze.ends_at - 6 * HOUR)
    asked = timezone.now()
    call_command("confirm_policy_change", str(change.pk))
    freeze.refresh_from_db()
    assert asked <= freeze.ends_at <= timezone.now()


def test_a_freeze_to_come_is_changed_and_deleted(client, root):
    freeze = make_freeze(1, 2)
    url = reverse("admin:pipelines_freeze_change", args=[freeze.pk])
    assert save(client, url, freeze_form(3, 4)).status_code == 302
    assert act(client, "freeze", "delete_selected", freeze)[-1] == "No action selected."
    assert Freeze.objects.exists()
    save(client, reverse("admin:pipelines_freeze_delete", args=[freeze.pk]), {})
    assert not Freeze.objects.exists()
    assert AuditEvent.objects.filter(action="admin.delete").exists()


def test_an_environment_in_use_takes_its_freezes_along_when_it_goes():
    """The strictest rule that is left decides: nothing is frozen for what is not there."""
    staging = make_environments()[0]
    make_freeze(environment=staging)
    staging.delete()
    assert not Freeze.objects.exists()
    assert Environment.objects.count() == 1


def test_what_a_freeze_covers_is_noted_and_of_another_scope_anew(client, root):
    link = confirmed_link(
        make_service("shop", system_ref="system:default/checkout"),
        make_pipeline(make_server(), "acme/shop"),
    )
    Entity.objects.create(
        ref="system:default/checkout", kind="System", name="checkout", document={}
    )
    values = {"scope_kind": "system", "scope_ref": "system:default/checkout"}
    assert add_freeze(client, **values).status_code == 302
    freeze = Freeze.objects.get()
    assert freeze.covered == {str(link.pipeline.pk): "buildkite:acme/shop"}
    Entity.objects.filter(pk=link.entity_id).update(system_ref="")
    url = reverse("admin:pipelines_freeze_change", args=[freeze.pk])
    save(client, url, freeze_form(**values, reason="Longer than thought."))
    freeze.refresh_from_db()
    assert (freeze.reason, len(freeze.covered)) == ("Longer than thought.", 1)
    save(client, url, freeze_form(scope_kind="service", scope_ref=make_service("other").ref))
    freeze.refresh_from_db()
    assert (freeze.scope_kind, freeze.covered) == ("service", {})
