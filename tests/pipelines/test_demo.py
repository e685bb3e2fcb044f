"""The demo organisation: what a newcomer is told has to be what they find."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from catalog.models import Entity, Service, Source, SyncIssue, Team
from catalog.scopes import scopes_of
from pipelines.management.commands.demo import SERVERS
from pipelines.models import Environment, EnvironmentRule, Freeze, Server
from pipelines.providers import PROVIDERS
from pipelines.sandbox.demo import DEFINITION
from portal.access import actor_for
from portal.demo_idp.people import PEOPLE
from portal.models import RoleMapping
from portal.policy import Target, decide
from portal.processes import DEMO_CREDENTIALS

# The job was renamed, and the catalog was not told: the demo shows what that looks like.
STALE = "jenkins:box-office/pricing"


@pytest.fixture
def demo(db: None) -> None:
    call_command("demo")


def sandbox_pipelines() -> set[tuple[str, str]]:
    """(server slug, pipeline) of all that the sandbox runs in the demo."""
    slugs = {server.prefix.split("/")[0]: server.slug for server in SERVERS}
    return {
        (slugs[instance["prefix"]], pipeline["name"])
        for instance in DEFINITION["instances"]
        for pipeline in instance["pipelines"]
    }


def test_the_descriptors_are_read_without_a_problem(demo: None) -> None:
    assert list(SyncIssue.objects.all()) == []
    assert Source.objects.get().last_error == ""
    kinds = dict.fromkeys(["Component", "API", "Resource", "System", "Domain"], 0)
    for kind in Entity.objects.values_list("kind", flat=True):
        kinds[kind] = kinds.get(kind, 0) + 1
    assert sum(kinds[kind] for kind in ["Component", "API", "Resource", "System", "Domain"]) >= 20
    assert Team.objects.filter(type="team").count() == 5
    assert kinds["User"] == 12


def test_every_relation_leads_to_something(demo: None) -> None:
    dangling = [
        f"{relation.source.ref} {relation.type} {relation.target_ref}"
        for entity in Entity.objects.prefetch_related("relations")
        for relation in entity.relations.all()
        if relation.target_id is None
    ]
    assert dangling == []


def test_every_annotation_but_the_stale_one_names_a_pipeline_of_the_sandbox(demo: None) -> None:
    known = sandbox_pipelines()
    claims = [
        (claim.value, (claim.server or provider.slug, claim.pipeline) in known)
        for service in Service.objects.all()
        for provider in PROVIDERS.values()
        for claim in provider.parse_annotations(service.annotations)
    ]
    assert len(claims) >= 10
    assert [value for value, found in claims if not found] == [STALE]


def test_every_credential_is_handed_over_by_run(demo: None) -> None:
    handed = {f"env:{name}" for name in DEMO_CREDENTIALS}
    assert set(Server.objects.values_list("credential_ref", flat=True)) == handed


def test_every_mapped_group_has_somebody_in_it(demo: None) -> None:
    held = {f"idp:{group}" for person in PEOPLE for group in person.groups}
    assert set(RoleMapping.objects.values_list("group", flat=True)) <= held


def test_people_and_catalog_know_the_same_persons(demo: None) -> None:
    users = set(Entity.objects.filter(kind="User").values_list("name", flat=True))
    assert {person.username for person in PEOPLE} == users


@pytest.mark.parametrize(
    ("username", "service", "environment", "may_start"),
    [
        ("ana", "payments-api", "production", True),
        ("ana", "booking-api", "development", False),
        ("daniel", "payments-api", "development", True),
        ("daniel", "payments-api", "staging", False),
        ("ben", "payments-api", "development", False),
        ("ben", "booking-api", "development", False),
        ("chiara", "booking-api", "production", True),
        ("elif", "search-api", "production", True),
        ("hugo", "scanner", "development", False),
        ("grace", "scanner", "staging", True),
        ("grace", "scanner", "production", False),
    ],
)
def test_people_may_start_what_the_table_says(
    demo: None, username: str, service: str, environment: str, may_start: bool
) -> None:
    person = next(person for person in PEOPLE if person.username == username)
    user = User.objects.create(username=username)
    for name in person.groups:
        user.groups.add(Group.objects.get_or_create(name=f"idp:{name}")[0])
    scopes = scopes_of(Service.objects.get(name=service))
    target = Target(service, scopes, environment)
    decision = decide(actor_for(user), "build.start", target, now=timezone.now())
    assert decision.allowed is may_start, decision.reason


def test_a_second_load_leaves_an_administrators_edits_alone(demo: None) -> None:
    RoleMapping.objects.filter(group="idp:payments-deployers").delete()
    EnvironmentRule.objects.all().delete()
    Source.objects.update(interval_seconds=3600)
    call_command("demo")
    assert not RoleMapping.objects.filter(group="idp:payments-deployers").exists()
    assert not EnvironmentRule.objects.exists()
    assert Source.objects.get().interval_seconds == 3600


def test_servers_follow_a_sandbox_that_moved_unless_pointed_elsewhere(
    demo: None, settings: Settings
) -> None:
    Server.objects.filter(slug="jenkins-ops").update(base_url="https://ci.example/jenkins-ops")
    settings.SANDBOX_URL = "http://127.0.0.1:12345"
    call_command("demo")
    urls = dict(Server.objects.values_list("slug", "base_url"))
    assert urls == {
        "jenkins": "http://127.0.0.1:12345/jenkins",
        "jenkins-ops": "https://ci.example/jenkins-ops",
        "buildkite": "http://127.0.0.1:12345/buildkite/v2",
        "drone": "http://127.0.0.1:12345/drone",
        "travis": "http://127.0.0.1:12345/travis",
        "bitbucket": "http://127.0.0.1:12345/bitbucket/2.0",
    }


@pytest.mark.django_db
def test_a_portal_that_is_in_use_gets_no_demo() -> None:
    Source.objects.create(slug="own", name="Own", kind="path", target="catalog-info.yaml")
    call_command("demo")
    assert not Server.objects.exists()
    assert Source.objects.count() == 1


@pytest.mark.django_db
def test_production_refuses_the_demo(settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="not for production"):
        call_command("demo")


def test_the_demo_names_no_real_host(settings: Settings) -> None:
    """Nothing in it may lead a click or a mail to somebody who exists."""
    hosts = set()
    for path in Path(settings.BASE_DIR / "catalog" / "demo_org").rglob("*.*"):
        hosts |= set(re.findall(r"(?:https?://|@)([\w.-]+)", path.read_text()))
    assert hosts == {"limelight.example"}


def test_only_production_asks_for_a_second_person_and_the_one_freeze_is_to_come(
    demo: None,
) -> None:
    asking = Environment.objects.exclude(approvals=0, protected_branches="")
    assert [one.slug for one in asking] == ["production"]
    assert Freeze.objects.get().starts_at > timezone.now()
