"""What of the catalog a person may see, in SQL: what decide() would allow entity by entity.

Whatever lists, counts or names entities for somebody asks here. What they may not see is for them
not in the catalog; relations that lead there keep the other end's ref, as in Backstage.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.label_lookup import HasLabel
from catalog.models import Entity, Relation, Tag, TeamClosure
from catalog.scopes import Scopes
from portal.guard import actor_of
from portal.policy import Actor
from portal.policy.covering import EVERYTHING as ALL
from portal.policy.covering import allowed_scopes

T = TypeVar("T", bound=Entity)
VIEW = "catalog.view"
# Of servers and pipelines the catalog knows nothing.
KINDS = frozenset({"everything", "service", "system", "team", "tag", "label"})


@dataclass(frozen=True)
class Seen:
    """What these scopes cover; without any: nothing."""

    scopes: Scopes = frozenset()

    @property
    def everything(self) -> bool:
        return ALL in self.scopes

    @property
    def nothing(self) -> bool:
        return not self.scopes

    def among(self, found: QuerySet[T]) -> QuerySet[T]:
        """Those of the entities that may be seen; says what catalog.scopes.scopes_of() says."""
        return found if self.everything else found.filter(self._covered())

    def entities(self) -> QuerySet[Entity]:
        return self.among(Entity.objects.all())

    def veil(self, edges: Collection[Relation]) -> None:
        """Takes from relations the ends that may not be seen; their refs stay. One query, and none
        for who sees everything."""
        if self.everything:
            return
        ends = {edge.target_id for edge in edges}
        shown = self._pks(ends)
        for edge in edges:
            if edge.target_id not in shown:
                edge.target = None

    def shown(self, entities: Iterable[Entity]) -> list[Entity]:
        """Those of these that may be seen, in their order; one query, and none for who sees
        everything."""
        found = list(entities)
        if self.everything:
            return found
        pks = self._pks({entity.pk for entity in found})
        return [entity for entity in found if entity.pk in pks]

    def _pks(self, pks: set[int | None]) -> set[int]:
        wanted = pks - {None}
        found = self.entities().filter(pk__in=wanted).values_list("pk", flat=True)
        return set(found) if wanted else set()

    def _covered(self) -> Q:
        services, systems, tags = (self._refs(kind) for kind in ("service", "system", "tag"))
        teams = [ref for ref in self._refs("team") if ref.startswith("group:")]
        below = TeamClosure.objects.filter(
            ancestor__ref__in=teams,
            ancestor__state=Entity.State.ACTIVE,
            ancestor__source__trusted_for_org=True,
            descendant__source__trusted_for_org=True,
        ).values("descendant__ref")
        themselves = Q(ref__in=[*services, *systems, *teams]) | Q(ref__in=below)
        owned = Q(owner_ref__in=teams) | Q(owner_ref__in=below)
        tagged = Q(pk__in=Tag.objects.filter(value__in=tags).values("entity"))
        found = themselves | Q(system_ref__in=systems) | owned | tagged
        labels = self._refs("label")
        return found | Q(HasLabel(labels)) if labels else found

    def _refs(self, kind: str) -> list[str]:
        return sorted(ref for scope_kind, ref in self.scopes if scope_kind == kind)


NOTHING = Seen()
EVERYTHING = Seen(frozenset({ALL}))


def seen_by(actor: Actor, permission: str = VIEW) -> Seen:
    """What the actor may see, or do with the other permission; no query."""
    scopes = allowed_scopes(actor, permission, timezone.now())
    return Seen(frozenset(scope for scope in scopes if scope[0] in KINDS))


def seen_of(request: HttpRequest) -> Seen:
    """What the signed-in person may see, found out once per request."""
    found: Seen | None = getattr(request, "stagedoor_seen", None)
    if found is None:
        found = seen_by(actor_of(request))
        request.stagedoor_seen = found  # type: ignore[attr-defined]
    return found
