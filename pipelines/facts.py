"""What decides about the writes of one service, read once: a page asks about many of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from catalog.models import Entity
from catalog.scopes import Scopes, scopes_of
from pipelines.environments import Rules, read_rules
from pipelines.freezes import not_over
from pipelines.models import BrokenGlass, Freeze, Pipeline, PipelineLink
from pipelines.scopes import link_scopes, scopes_of_pipeline
from pipelines.standing import RELATED, Standing, standing
from portal.models import RoleMapping
from portal.policy import is_covered
from portal.subjects import people_of

MAX_HELPERS = 3


@dataclass(frozen=True)
class Facts:
    """The same for every pipeline, branch and build of a service, for as long as a page takes."""

    entity: Entity | None
    scopes: Scopes
    owner: str  # the owning team as people know it, "" without one
    mappings: tuple[RoleMapping, ...]
    rules: Rules
    standings: Mapping[int, Standing]  # pipeline id -> what this entity's link to it grants
    freezes: tuple[Freeze, ...] = ()  # of all, in force and to come
    glass: tuple[BrokenGlass, ...] = ()  # of this entity, open or yet to be reviewed
    # The same of its pipelines, while they were another entity's.
    earlier_glass: tuple[BrokenGlass, ...] = ()

    def scopes_with(self, pipeline: Pipeline | None) -> Scopes:
        """What covers the service, and this pipeline of it."""
        return self.scopes | scopes_of_pipeline(pipeline) if pipeline else self.scopes

    def helpers(
        self, permission: str, environment: str, pipeline: Pipeline | None = None
    ) -> tuple[str, ...]:
        """Who can help: the owning team, then the groups whose role covers this, a few."""
        found = [self.owner] if permission != "link.confirm" else []
        found += self.holders(permission, environment, pipeline=pipeline)
        return tuple(dict.fromkeys(name for name in found if name))[:MAX_HELPERS]

    def holders(
        self,
        permission: str,
        environment: str,
        role: str = "",
        pipeline: Pipeline | None = None,
    ) -> tuple[str, ...]:
        """The groups whose role covers this, a few; `role` is the only one that counts."""
        if permission == "link.confirm" and pipeline:
            first, second = link_scopes(self.scopes, pipeline)
            # A link is in no environment.
            both = {one.group for one in self._held(permission, "", "", second)}
            held = [one for one in self._held(permission, "", "", first) if one.group in both]
        else:
            held = self._held(permission, environment, role, self.scopes_with(pipeline))
        found = [f"{people_of(mapping.group)} ({mapping.role})" for mapping in held]
        return tuple(dict.fromkeys(found))[:MAX_HELPERS]

    def _held(
        self, permission: str, environment: str, role: str, scopes: Scopes
    ) -> list[RoleMapping]:
        """The mappings that give this there."""
        return [
            mapping
            for mapping in self.mappings
            if role in ("", mapping.role.name)
            and is_covered(mapping.scope_kind, mapping.scope_ref, scopes)
            and mapping.environment in ("", environment)
            and permission in mapping.role.permissions
        ]

    def open_glass(
        self,
        user_id: int | None,
        environments: Collection[str],
        now: datetime,
        pipeline: Pipeline | None = None,
    ) -> BrokenGlass | None:
        """The glass that this person has broken in one of them, while its time runs; for this
        pipeline. One that was linked later is not among those that the lock would follow."""
        for glass in self.glass:
            mine = glass.by_id == user_id and glass.environment.slug in environments
            covered = pipeline is None or pipeline in glass.pipelines.all()
            if mine and covered and glass.starts_at <= now < glass.ends_at:
                return glass
        return None


def facts_of(entity: Entity | None, pipelines: Iterable[Pipeline]) -> Facts:
    """Reads them as they hold now, in about nine queries whatever the number of pipelines."""
    now = timezone.now()
    mappings = RoleMapping.objects.select_related("role").order_by("role__rank", "group")
    glass = _glass(entity, now)
    return Facts(
        entity=entity,
        scopes=scopes_of(entity) if entity is not None else frozenset(),
        owner=owner_of(entity),
        mappings=tuple(mappings),
        rules=read_rules(),
        standings=_standings(entity, pipelines),
        freezes=tuple(not_over(now)),
        glass=tuple(one for one in glass if entity and one.entity_ref == entity.ref),
        earlier_glass=tuple(one for one in glass if entity and one.entity_ref != entity.ref),
    )


def owner_of(entity: Entity | None) -> str:
    """The owning team as people know it, "" without one."""
    if entity is None or not entity.owner_ref:
        return ""
    owner = Entity.objects.filter(ref=entity.owner_ref).only("title", "name").first()
    return str(owner) if owner else entity.owner_ref


def _glass(entity: Entity | None, now: datetime) -> list[BrokenGlass]:
    """By the entity's ref, for whoever is registered anew under it is the same service; and by its
    pipelines, for it may have had another name."""
    if entity is None:
        return []
    links = PipelineLink.objects.filter(entity=entity, status=PipelineLink.Status.CONFIRMED)
    there = BrokenGlass.pipelines.through.objects.filter(pipeline__in=links.values("pipeline"))
    same = Q(entity_ref=entity.ref) | Q(pk__in=there.values("brokenglass"))
    rows = BrokenGlass.objects.filter(Q(ends_at__gt=now) | Q(reviewed_at=None))
    rows = rows.filter(same).select_related("environment__approver_role", "by")
    return list(rows.prefetch_related("pipelines"))


def _standings(entity: Entity | None, pipelines: Iterable[Pipeline]) -> dict[int, Standing]:
    """What the entity's links grant, computed from what holds now: all claimants count."""
    if entity is None:
        return {}
    rows = PipelineLink.objects.filter(pipeline__in=[pipeline.pk for pipeline in pipelines])
    by_pipeline: dict[int, list[PipelineLink]] = {}
    for link in rows.select_related(*RELATED).order_by("pk"):
        by_pipeline.setdefault(link.pipeline_id, []).append(link)
    return {
        link.pipeline_id: granted
        for links in by_pipeline.values()
        for link, granted in zip(links, standing(links), strict=True)
        if link.entity_id == entity.pk
    }
