"""Beside a denial: what would change it, and the form in which an administrator changes it."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import RequestFactory
from django.utils import timezone

from portal.access import actor_for
from portal.explain import Explanation, explain, told
from portal.models import Role, RoleMapping
from portal.policy import Decision, Effect, Target, decide

pytestmark = pytest.mark.django_db
PAY = Target("pay", frozenset({("service", "component:default/pay")}), "production")


@pytest.fixture
def ana():
    user = User.objects.create_user("ana")
    user.groups.add(Group.objects.create(name="idp:devs"))
    return user


def ask(user, action="build.start", target=PAY):
    return decide(actor_for(user), action, target, now=timezone.now())


def request_of(user):
    request = RequestFactory().get("/")
    request.user = user
    return request


def test_a_denial_says_what_would_change_it(ana):
    found = explain(ask(ana), request_of(ana))
    assert found == Explanation(
        "Smallest change: give idp:devs the role Deployer for service component:default/pay "
        "in production."
    )


def test_an_administrator_is_led_to_the_form_filled_in(client, ana):
    ana.is_staff = True
    ana.save()
    ana.user_permissions.set(Permission.objects.filter(codename__endswith="rolemapping"))
    decision = ask(ana)
    url = explain(decision, request_of(User.objects.get())).url
    values = dict(parse_qsl(urlsplit(url).query))
    role = Role.objects.get(pk=values.pop("role"))
    assert role.slug == "deployer"
    RoleMapping.objects.create(role=role, **values)
    assert ask(ana).allowed
    client.force_login(ana)
    page = client.get(url).content.decode()
    assert 'value="idp:devs"' in page
    assert 'value="component:default/pay"' in page


def test_a_mapping_in_whose_place_another_role_comes_is_opened(ana):
    ana.is_superuser = ana.is_staff = True
    ana.save()
    developer = Role.objects.get(slug="developer")
    mapping = RoleMapping.objects.create(group="idp:devs", role=developer)
    found = explain(ask(ana), request_of(ana))
    assert "the role Deployer instead of Developer" in found.suggestion
    assert f"/rolemapping/{mapping.pk}/change/" in found.url


def test_whoever_may_not_edit_mappings_is_led_nowhere(ana):
    ana.is_staff = True
    assert explain(ask(ana), request_of(ana)).url == ""


@pytest.mark.parametrize(
    "decision", [Decision(Effect.DENY, "x", "No."), Decision(Effect.ALLOW, "x", "")]
)
def test_where_policy_was_not_asked_nothing_is_suggested(decision):
    assert explain(decision) == Explanation()


def test_many_denials_on_a_page_read_the_roles_once(ana, django_assert_num_queries):
    request, decision = request_of(ana), ask(ana)
    with django_assert_num_queries(1):
        for _ in range(5):
            explain(decision, request)


def test_the_api_is_told_rule_reason_and_what_helps(ana):
    found = told(ask(ana, "link.confirm"))
    assert found["rule"] == "permission"
    assert found["reason"] == "Your role here is Viewer, which may not confirm a pipeline link."
    assert "the role Admin" in found["suggestion"]
