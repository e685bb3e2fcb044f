"""What of the catalog a caller may see: everything, some scopes, or nothing (which is 403)."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.utils import timezone

from catalog.models import Entity, Tag, TeamClosure
from catalog.scopes import Scopes
from portal.api_errors import ApiError
from portal.api_tokens import Caller
from portal.explain import told
from portal.policy import Target, decide

VIEW = "catalog.view"
CATALOG = Target("the catalog")


@dataclass(frozen=True)
class Seen:
    """Empty scopes: everything."""

    scopes: Scopes = frozenset()

    @property
    def everything(self) -> bool:
        return not self.scopes

    def entities(self) -> QuerySet[Entity]:
        """Those that the caller may see; says in SQL what catalog.scopes.scopes_of() says."""
        found = Entity.objects.all()
        if self.everything:
            return found
        services, systems, teams = (self._refs(kind) for kind in ("service", "system", "team"))
        below = TeamClosure.objects.filter(
            ancestor__ref__in=teams,
            ancestor__state=Entity.State.ACTIVE,
            ancestor__source__trusted_for_org=True,
            descendant__source__trusted_for_org=True,
        ).values("descendant__ref")
        owned = Q(owner_ref__in=teams) | Q(owner_ref__in=below)
        themselves = Q(ref__in=[*services, *teams]) | Q(ref__in=below)
        tagged = Q(pk__in=Tag.objects.filter(value__in=self._refs("tag")).values("entity"))
        named = themselves | Q(system_ref__in=systems) | owned | tagged
        return self._labelled(found, named)

    def _labelled(self, found: QuerySet[Entity], named: Q) -> QuerySet[Entity]:
        """Those named, and those with one of the labels."""
        labels = KeyTransform("labels", KeyTransform("metadata", "document"))
        for number, label in enumerate(self._refs("label")):
            key, _, value = label.partition("=")
            found = found.alias(**{f"label_{number}": KeyTransform(key, labels)})
            named |= Q(**{f"label_{number}": value})
        return found.filter(named)

    def _refs(self, kind: str) -> list[str]:
        return [ref for scope_kind, ref in self.scopes if scope_kind == kind]


def seen_by(caller: Caller) -> Seen:
    """Policy is asked for the whole catalog, then for each scope that a grant names."""
    now = timezone.now()
    whole = decide(caller.actor, VIEW, CATALOG, now=now)
    if whole.allowed:
        return Seen()
    named = {(grant.scope_kind, grant.scope_ref) for grant in caller.actor.grants}
    scopes = frozenset(
        scope
        for scope in named
        if scope[1]
        and decide(caller.actor, VIEW, Target(scope[1], frozenset([scope])), now=now).allowed
    )
    if not scopes:
        raise ApiError(403, whole.sentence, told(whole))
    return Seen(scopes)
