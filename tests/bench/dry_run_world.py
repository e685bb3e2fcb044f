"""A large company in the database, and changes of its policy, for dry_run.py."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from django.contrib.auth.models import Group, User
from django.db import transaction

from catalog.models import Entity, Source, TeamClosure
from pipelines.models import Environment, EnvironmentRule, Pipeline, PipelineLink, Server
from portal.dry_run import try_out
from portal.models import Role, RoleMapping
from tests.pipelines.policy_worlds import World
from tests.pipelines.test_policy_targets import check, ways

__all__ = ["changes", "fill", "mappings", "try_company", "try_out"]
TEAMS = 80


def mappings() -> int:
    return RoleMapping.objects.count()


def fill(people: int, services: int) -> None:
    """Each team has a group of deployers, a group of owners, and some services; everybody is in
    two teams and in twenty groups that give nothing."""
    random = Random(1)
    with transaction.atomic():
        _environments()
        _services(services)
        _people(people, random)
        _mappings()


def _environments() -> None:
    for rank, slug in enumerate(("development", "staging", "production")):
        one = Environment.objects.create(slug=slug, name=slug, rank=rank, approvals=rank // 2)
        EnvironmentRule.objects.create(order=rank, branch=f"{slug}/*", environment=one)


def _services(count: int) -> None:
    source = Source.objects.create(slug="org", name="org", kind="path", trusted_for_org=True)
    server = Server.objects.create(
        slug="jenkins", name="Jenkins", provider="jenkins", base_url="http://127.0.0.1:9"
    )
    teams = [_entity("Group", f"team-{n}", source) for n in range(TEAMS)]
    TeamClosure.objects.bulk_create(
        TeamClosure(ancestor=team, descendant=team, depth=0) for team in teams
    )
    for number in range(count):
        owner = teams[number % TEAMS].ref
        entity = _entity("Component", f"service-{number}", source, owner_ref=owner)
        name = f"folder-{number % 40}/service-{number}"
        pipeline = Pipeline.objects.create(server=server, external_id=name, name=name)
        PipelineLink.objects.create(entity=entity, pipeline=pipeline, status="confirmed")


def _entity(kind: str, name: str, source: Source, **fields: str) -> Entity:
    ref = f"{kind.lower()}:default/{name}"
    metadata = {"name": name, "tags": [f"tag-{len(name)}"], "labels": {"tier": name[-1]}}
    document = {"metadata": metadata, "spec": {}}
    return Entity.objects.create(
        kind=kind, ref=ref, name=name, source=source, document=document, **fields
    )


def _people(count: int, random: Random) -> None:
    users = User.objects.bulk_create(User(username=f"person-{n}") for n in range(count))
    names = [f"idp:{kind}-{n}" for kind in ("deployers", "owners", "other") for n in range(TEAMS)]
    groups = {name: Group.objects.create(name=name) for name in [*names, "idp:everybody"]}
    held = User.groups.through
    rows = []
    for user in users:
        chosen = [f"idp:deployers-{n}" for n in random.sample(range(TEAMS), 2)]
        chosen += [f"idp:other-{n}" for n in random.sample(range(TEAMS), 20)]
        chosen += [f"idp:owners-{random.randrange(TEAMS)}"] if random.random() < 0.1 else []
        chosen += ["idp:everybody"]
        rows += [held(user_id=user.pk, group_id=groups[name].pk) for name in chosen]
    held.objects.bulk_create(rows, batch_size=5000)


def _mappings() -> None:
    deployer, owner = (Role.objects.get(slug=slug) for slug in ("deployer", "owner"))
    for number in range(TEAMS):
        scope = {"scope_kind": "team", "scope_ref": f"group:default/team-{number}"}
        RoleMapping.objects.create(group=f"idp:deployers-{number}", role=deployer, **scope)
        RoleMapping.objects.create(group=f"idp:owners-{number}", role=owner, **scope)


def changes() -> Iterator[tuple[str, Callable[[], object]]]:
    deployer, viewer = (Role.objects.get(slug=slug) for slug in ("deployer", "viewer"))
    yield "a mapping of one team's group", lambda: RoleMapping.objects.first().delete()
    yield (
        "a mapping of everybody for everything",
        lambda: RoleMapping.objects.create(group="idp:everybody", role=deployer),
    )
    yield (
        "a permission less in the role of most",
        lambda: Role.objects.filter(pk=deployer.pk).update(permissions=viewer.permissions),
    )
    yield (
        "an approval more in production",
        lambda: Environment.objects.filter(slug="production").update(approvals=2),
    )


def try_company(seed: int) -> None:
    """Raises AssertionError where a prediction is not exact; leaves nothing behind."""
    with transaction.atomic():
        change = World(seed).change()
        dry = try_out(change)
        people = [replace(person, then=None) for person in dry.people]
        check(dry.before.places, ways(people, dry.before))
        change()
        check(dry.after.places, ways(dry.people, dry.after))
        transaction.set_rollback(True)
