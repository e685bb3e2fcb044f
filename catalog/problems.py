"""Problems of descriptors by the teams that own them, so that they reach who can mend them."""

from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from catalog.models import Entity, SyncIssue
from catalog.queries import ROW_FIELDS
from catalog.seen import Seen

# Of one entity are shown; the others are on its page.
SHOWN = 3
MAX_ENTITIES = 50


@dataclass
class Troubled:
    """An entity with what the latest reading found wrong with it, errors first."""

    entity: Entity
    issues: list[SyncIssue] = field(default_factory=list)

    @property
    def shown(self) -> list[SyncIssue]:
        return self.issues[:SHOWN]

    @property
    def hidden(self) -> int:
        return len(self.issues) - len(self.shown)


def troubled(owner_refs: Collection[str], seen: Seen) -> QuerySet[Entity]:
    """What these teams and people own, themselves included, and has problems; by ref, as far
    as it may be seen."""
    mine = Q(owner_ref__in=list(owner_refs)) | Q(ref__in=list(owner_refs))
    named = SyncIssue.objects.exclude(entity_ref="").values("entity_ref")
    found = seen.entities().filter(mine, ref__in=named).only(*ROW_FIELDS)
    return found.exclude(state=Entity.State.UNSUPPORTED).order_by("ref")


def problems_of(
    owner_refs: Collection[str], seen: Seen, limit: int = MAX_ENTITIES
) -> list[Troubled]:
    """The first of them with their problems; two queries."""
    if not owner_refs:
        return []
    found = {entity.ref: Troubled(entity) for entity in troubled(owner_refs, seen)[:limit]}
    issues = SyncIssue.objects.filter(entity_ref__in=list(found)).select_related("source")
    for issue in issues.order_by("severity", "location", "line", "pk"):
        found[issue.entity_ref].issues.append(issue)
    return list(found.values())
