"""Small random companies in the database, and random changes of their policy."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from django.contrib.auth.models import Group, User
from django.utils import timezone

from catalog.models import Entity, Membership, Source, TeamClosure
from pipelines.linking import decide_server
from pipelines.models import (
    Environment,
    EnvironmentRule,
    Freeze,
    Pipeline,
    PipelineLink,
    Server,
)
from portal.models import Identity, Role, RoleMapping, UserLink
from portal.policy import PERMISSIONS
from portal.roles import seed_roles
from tests.pipelines.world import confirmed_link, make_pipeline, make_server, make_service

GROUPS = ["idp:a", "idp:b", "github:c", "team:group:default/money"]
TEAMS = ["group:default/money", "group:default/web"]
ALWAYS, NEVER = "Mon-Sun 00:00-24:00 UTC", "Mon-Sun 00:00-00:01 Asia/Kathmandu"
CONDITIONS = [
    {},
    {},
    {},
    {"branches": "main"},
    {"branches": "main, fix/*", "parameters": "TARGET: one of a, b"},
    {"hours": ALWAYS},
    {"hours": NEVER},
    {"branches": "can't be read, , x y"},
]
HOUR = timedelta(hours=1)


class World:
    """The same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        seed_roles()
        self._catalog()
        self._environments()
        self._people()
        for _ in range(self.random.randint(1, 6)):
            self._mapping()
        for _ in range(self.random.randint(0, 2)):
            self._freeze()

    def _catalog(self) -> None:
        source, _ = Source.objects.get_or_create(
            slug="org", defaults={"name": "org", "kind": "path", "trusted_for_org": True}
        )
        teams = [
            Entity.objects.create(
                kind="Group",
                ref=ref,
                name=ref.rpartition("/")[2],
                source=source,
                document={"metadata": {}, "spec": {}},
            )
            for ref in TEAMS
        ]
        for team in teams:
            TeamClosure.objects.create(ancestor=team, descendant=team, depth=0)
        if self._rarely(2):
            TeamClosure.objects.create(ancestor=teams[0], descendant=teams[1], depth=1)
        server = make_server("jenkins", "jenkins")
        for number in range(3):
            entity = make_service(
                f"service-{number}",
                owner_ref=self.random.choice([*TEAMS, ""]),
                system_ref=self.random.choice(["system:default/shop", ""]),
            )
            entity.document["metadata"]["tags"] = self.random.sample(["java", "go"], 1)
            entity.save()
            pipeline = make_pipeline(server, f"{'ab'[number % 2]}/deploy-{number}")
            link = confirmed_link(entity, pipeline)
            if self._rarely(6):
                PipelineLink.objects.filter(pk=link.pk).update(status="read")
        self.team = teams[self.random.randint(0, 1)]
        self.source = source

    def _environments(self) -> None:
        for rank, slug in enumerate(self.random.sample(["staging", "production"], 2)):
            Environment.objects.create(
                slug=slug,
                name=slug,
                rank=rank * 10,
                approvals=self.random.choice([0, 0, 1, 2]),
                approver_role=self.random.choice([None, None, Role.objects.get(slug="owner")]),
                protected_branches=self.random.choice(["", "", "main"]),
            )
            EnvironmentRule.objects.create(
                order=self.random.randint(1, 9),
                pipeline=self.random.choice(["*", "a/*"]),
                branch=self.random.choice(["*", "feature/*"]),
                environment=Environment.objects.get(slug=slug),
            )

    def _people(self) -> None:
        for number in range(4):
            user = User.objects.create_user(f"person-{number}", is_active=not self._rarely(8))
            for name in self.random.sample(GROUPS, self.random.randint(0, 3)):
                user.groups.add(Group.objects.get_or_create(name=name)[0])
            if self._rarely(2):
                ref = f"user:default/person-{number}"
                UserLink.objects.create(user=user, user_ref=ref, how="admin")
                Membership.objects.create(team=self.team, user_ref=ref, origin=self.source)
            if self._rarely(6):
                Identity.objects.create(
                    issuer="i", subject=str(number), user=user, incomplete="Too many groups."
                )
            elif self._rarely(6):
                age = timedelta(days=self.random.choice([1, 90]))
                Identity.objects.create(
                    issuer="i", subject=str(number), user=user, confirmed_at=timezone.now() - age
                )

    def _rarely(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def _mapping(self) -> None:
        values = self._mapping_values()
        names = ("group", "role", "scope_kind", "scope_ref", "environment")
        rest = {name: value for name, value in values.items() if name not in names}
        RoleMapping.objects.get_or_create(**{name: values[name] for name in names}, defaults=rest)

    def _mapping_values(self) -> dict:
        kind, ref = self.random.choice(
            [
                ("everything", ""),
                ("team", TEAMS[0]),
                ("team", TEAMS[1]),
                ("service", "component:default/service-0"),
                ("system", "system:default/shop"),
                ("tag", "java"),
                ("server", "jenkins"),
                ("pipeline", "jenkins:a/*"),
            ]
        )
        return {
            "group": self.random.choice(GROUPS),
            "role": self.random.choice(list(Role.objects.all())),
            "scope_kind": kind,
            "scope_ref": ref,
            "environment": self.random.choice(["", "", "staging", "production"]),
            **self.random.choice(CONDITIONS),
        }

    def _freeze(self) -> None:
        Freeze.objects.create(**self._freeze_values())

    def _freeze_values(self) -> dict:
        starts = timezone.now() + self.random.choice([-HOUR, HOUR])
        kind, ref = self.random.choice([("everything", ""), ("tag", "java"), ("team", TEAMS[0])])
        return {
            "environment": self.random.choice([None, *Environment.objects.all()]),
            "scope_kind": kind,
            "scope_ref": ref,
            "starts_at": starts,
            "ends_at": starts + 2 * HOUR,
            "reason": "Year-end close.",
        }

    def change(self) -> Callable[[], None]:
        """One that can be made several times, to the same effect."""
        return self.random.choice(
            [
                self._add_mapping,
                self._change_mapping,
                self._change_role,
                self._change_environment,
                self._change_freeze,
                self._delete,
                self._add_environment,
                self._change_link,
                self._change_trust,
                self._change_claims,
            ]
        )()

    def _add_mapping(self) -> Callable[[], None]:
        values = self._mapping_values()
        names = ("group", "role", "scope_kind", "scope_ref", "environment")
        RoleMapping.objects.filter(**{name: values[name] for name in names}).delete()
        return lambda: RoleMapping(**values).save()

    def _change_mapping(self) -> Callable[[], None]:
        one = self.random.choice(list(RoleMapping.objects.all()))
        return _update(RoleMapping, one.pk, {**self.random.choice(CONDITIONS), "group": "idp:b2"})

    def _change_role(self) -> Callable[[], None]:
        one = self.random.choice(list(Role.objects.all()))
        held = self.random.sample(sorted(PERMISSIONS), self.random.randint(0, 12))
        return _update(Role, one.pk, {"permissions": held})

    def _change_environment(self) -> Callable[[], None]:
        one = self.random.choice(list(Environment.objects.all()))
        owner = Role.objects.get(slug="owner")
        values = [
            {"approvals": self.random.randint(0, 2)},
            {"approver_role": self.random.choice([None, owner])},
            {"rank": self.random.randint(0, 20)},
            {"slug": "elsewhere"},
            {"protected_branches": self.random.choice(["", "main", "release/*"])},
        ]
        return _update(Environment, one.pk, self.random.choice(values))

    def _change_freeze(self) -> Callable[[], None]:
        values = self._freeze_values()
        one = Freeze.objects.first()
        return _update(Freeze, one.pk, values) if one else lambda: Freeze(**values).save()

    def _delete(self) -> Callable[[], None]:
        model = self.random.choice([RoleMapping, Environment, Freeze])
        one = model.objects.order_by("?").first()
        return (lambda: type(one).objects.get(pk=one.pk).delete()) if one else self._add_mapping()

    def _add_environment(self) -> Callable[[], None]:
        values = {"slug": "new", "name": "New", "rank": self.random.randint(0, 20), "approvals": 1}
        return lambda: Environment(**values).save()

    def _change_link(self) -> Callable[[], None]:
        """Somebody becomes the one who is in the team, or is so no more."""
        user = self.random.choice(list(User.objects.all()))
        UserLink.objects.filter(user_ref="user:default/somebody").delete()
        ref = self.random.choice([f"user:default/{user}", "user:default/somebody"])
        Membership.objects.get_or_create(
            team=self.team, user_ref="user:default/somebody", origin=self.source
        )
        values = {"user_ref": ref, "how": "admin"}
        return lambda: UserLink.objects.update_or_create(user=user, defaults=values) and None

    def _change_trust(self) -> Callable[[], None]:
        return _update(Source, self.source.pk, {"trusted_for_org": self._rarely(2)})

    def _change_claims(self) -> Callable[[], None]:
        PipelineLink.objects.update(confirmed_at=None, confirmed_source="")
        server = Server.objects.get()
        glob = self.random.choice(["*", "a/*", "nothing"])

        def change() -> None:
            server.claims = [{"source": "payments", "pipelines": glob}]
            server.save()
            decide_server(server)

        return change


def _update(model, pk, values) -> Callable[[], None]:
    def change() -> None:
        one = model.objects.get(pk=pk)
        for name, value in values.items():
            setattr(one, name, value)
        one.save()

    return change


def pipelines() -> list[tuple[Entity, Pipeline]]:
    """Each service with its pipeline."""
    links = PipelineLink.objects.select_related("entity", "pipeline__server")
    return [(link.entity, link.pipeline) for link in links]
