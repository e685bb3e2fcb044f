"""Who may do what to a service, and what one person may do: as decide() says it."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from catalog.models import Entity
from pipelines.models import Environment, EnvironmentRule
from portal.access import actor_for
from portal.models import Role, RoleMapping
from tests.catalog.pages import page, queries
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    """A service that reaches staging and production, where two approvals are needed."""
    make_environments()
    Environment.objects.filter(slug="production").update(approvals=2, protected_branches="main")
    entity = make_service("shop")
    confirmed_link(entity, make_pipeline(make_server(), "shop"))
    return entity


def who(entity):
    return f"{reverse('portal:policy_who')}?ref={entity.ref}"


def found(client, entity):
    """{environment: {people: (may, through, terms)}}"""
    context = client.get(who(entity)).context["found"]
    return {
        here.name: {", ".join(row.people): (row.may, row.through, row.terms) for row in here.rows}
        for here in context
    }


def test_policy_who_says_who_by_which_role_and_on_which_terms(client, shop):
    ana = make_person("ana", "deployer", scope_kind="service", scope_ref=shop.ref)
    make_person("ben", "developer", environment="staging", branches="fix/*")
    make_person("mara")
    client.force_login(make_person("vic"))
    here = found(client, shop)
    assert set(here) == {"Staging", "Production"}
    assert set(here["Production"]) == {"Ana"}
    may, through, terms = here["Production"]["Ana"]
    assert "start builds" in may
    assert "approve other people's requests" in may
    assert (through, terms) == ("Deployer by anas", "")
    may, through, terms = here["Staging"]["Ben"]
    assert "start" not in may
    assert (through, terms) == ("Developer by bens", "on the branches fix/*")
    text = page(client, who(shop))
    assert "with 2 approvals; from main only" in text
    assert actor_for(ana).holds("build.start")


def test_policy_who_takes_as_many_queries_for_many_people(client, shop):
    make_person("ana", "deployer")
    client.force_login(make_person("vic"))
    page(client, who(shop))
    few = queries(client, who(shop))
    for number in range(20):
        make_person(f"p{number}", "deployer")
    assert queries(client, who(shop)) == few
    assert few < 30


def test_policy_who_of_nothing_and_of_what_may_not_be_seen(client, shop, settings):
    client.force_login(make_person("vic"))
    assert client.get(reverse("portal:policy_who")).status_code == 404
    assert client.get(f"{reverse('portal:policy_who')}?ref=component:default/no").status_code == 404
    settings.DEFAULT_ROLE = ""
    assert client.get(who(shop)).status_code == 404


def test_policy_who_without_a_pipeline_says_so(client):
    client.force_login(make_person("vic"))
    assert "Nothing of this can be run" in page(client, who(make_service("lib")))


def test_policy_who_follows_the_role_that_approvers_hold(client, shop):
    Environment.objects.update(approver_role=Role.objects.get(slug="owner"))
    make_person("ana", "deployer")
    make_person("olga", "owner")
    client.force_login(make_person("vic"))
    here = found(client, shop)["Production"]
    assert "approve" not in here["Ana"][0]
    assert "approve" in here["Olga"][0]


def test_policy_mine_lists_what_and_where(client, shop):
    client.force_login(make_person("ana", "deployer", environment="staging"))
    text = page(client, reverse("portal:policy_mine"))
    assert "start builds" in text
    assert "Production" not in text


def test_policy_mine_says_each_thing_once_and_unfolds_many_places(client, shop):
    client.force_login(make_person("ana", "deployer"))
    for number in range(6):
        make_service(f"s{number}")
    url = reverse("portal:policy_mine")
    rows = client.get(url).context["rows"]
    assert {row.environment for row in rows} == {"", "Staging", "Production"}
    builds = [row for row in rows if "see builds" in row.may]
    assert [row.where for row in builds if row.where != "the portal itself"] == [
        "s0, s1, s2, s3, s4 and 2 more places"
    ]
    assert "</summary>s5, shop</details>" in page(client, url)
    Entity.objects.filter(name="s5").delete()
    assert "s4 and 1 more place<" in page(client, url)


def test_policy_mine_takes_as_many_queries_for_many_services(client, shop):
    client.force_login(make_person("ana", "deployer"))
    page(client, reverse("portal:policy_mine"))
    few = queries(client, reverse("portal:policy_mine"))
    for number in range(10):
        confirmed_link(make_service(f"s{number}"), make_pipeline(make_server(f"s{number}"), "x"))
        EnvironmentRule.objects.create(environment=Environment.objects.first())
    assert queries(client, reverse("portal:policy_mine")) == few


def test_policy_person_is_for_who_may_see_policy(client, shop):
    ana = make_person("ana", "deployer")
    url = reverse("portal:policy_person", args=[ana.pk])
    vic = make_person("vic")
    vic.groups.add(Group.objects.create(name="idp:box-office"))
    client.force_login(vic)
    refused = client.get(url)
    assert refused.status_code == 403
    assert "Smallest change" not in refused.content.decode()  # a role for everything, for one look
    assert "people who administer Stagedoor" in refused.content.decode()
    client.force_login(make_person("olga", "admin"))
    assert "What Ana can do" in page(client, url)
    vic.is_staff = vic.is_superuser = True
    vic.save()
    client.force_login(vic)
    assert "start builds" in page(client, url)
    assert url in page(client, reverse("admin:auth_user_change", args=[ana.pk]))


def test_policy_person_who_left_may_do_nothing(client):
    ana = make_person("ana", "admin")
    User.objects.filter(pk=ana.pk).update(is_active=False)
    client.force_login(make_person("olga", "admin"))
    assert "no longer active" in page(client, reverse("portal:policy_person", args=[ana.pk]))
    assert RoleMapping.objects.exists()
