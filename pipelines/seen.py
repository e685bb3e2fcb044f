"""What of builds a person may see, in SQL: what decide() would allow one by one.

As catalog.seen, for lists: a build by its pipeline or any service that this is linked to, a request
by its pipeline or its service. Patterns are no SQL, so the pipelines that they match are looked up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.scopes import Scopes
from catalog.seen import KINDS, Seen
from pipelines.models import Build, Pipeline, PipelineLink
from portal.guard import actor_of, require
from portal.policy import Actor, Target
from portal.policy.covering import EVERYTHING, allowed_scopes

VIEW = "build.view"


@dataclass(frozen=True)
class SeenBuilds:
    """What these scopes cover; without any: nothing."""

    scopes: Scopes = frozenset()

    @property
    def everything(self) -> bool:
        return EVERYTHING in self.scopes

    @property
    def nothing(self) -> bool:
        return not self.scopes

    @property
    def entities(self) -> Seen:
        """The entities whose builds may be seen."""
        return Seen(frozenset(scope for scope in self.scopes if scope[0] in KINDS))

    def builds(self, found: QuerySet[Build]) -> QuerySet[Build]:
        """Those of the builds that may be seen."""
        if self.everything:
            return found
        return found.filter(pipeline__in=self.pipelines().values("pk"))

    def pipelines(self) -> QuerySet[Pipeline]:
        """Those whose builds may be seen."""
        found = Pipeline.objects.all()
        if self.everything:
            return found
        linked = PipelineLink.objects.filter(entity__in=self.entities.entities())
        return found.filter(Q(pk__in=linked.values("pipeline")) | Q(pk__in=self._named))

    def shown(self, pipelines: Sequence[Pipeline]) -> list[Pipeline]:
        """Those of these whose builds may be seen; one query, and none for who sees everything."""
        if self.everything or not pipelines:
            return list(pipelines)
        found = self.pipelines().filter(pk__in=[pipeline.pk for pipeline in pipelines])
        pks = set(found.values_list("pk", flat=True))
        return [pipeline for pipeline in pipelines if pipeline.pk in pks]

    def links(self, links: Iterable[PipelineLink]) -> list[PipelineLink]:
        """Those of these whose service may be named: who sees a pipeline does not see every service
        that shares it. One query, and none for who sees everything."""
        found = list(links)
        shown = {entity.pk for entity in self.entities.shown(link.entity for link in found)}
        return [link for link in found if link.entity_id in shown]

    def of_triggers(self, path: str = "") -> Q:
        """For rows of Trigger, or of what leads to one by the path "trigger__"."""
        if self.everything:
            return Q()
        entities, pipelines = self.entities.entities(), self._named
        return Q(**{f"{path}entity__in": entities}) | Q(**{f"{path}pipeline__in": pipelines})

    @cached_property
    def _named(self) -> list[int]:
        """The pipelines that roles on servers and patterns cover; one query where there are any."""
        servers = {ref for kind, ref in self.scopes if kind == "server"}
        patterns = [ref for kind, ref in self.scopes if kind == "pipeline"]
        if not servers and not patterns:
            return []
        rows = Pipeline.objects.order_by().values_list("pk", "server__slug", "external_id")
        return [
            pk
            for pk, server, name in (rows if patterns else rows.filter(server__slug__in=servers))
            if server in servers
            or any(fnmatchcase(f"{server}:{name}", pattern) for pattern in patterns)
        ]


def seen_builds_by(actor: Actor) -> SeenBuilds:
    """What the actor may see; no query."""
    return SeenBuilds(allowed_scopes(actor, VIEW, timezone.now()))


def seen_builds(request: HttpRequest) -> SeenBuilds:
    """What the signed-in person may see, found out once per request."""
    found: SeenBuilds | None = getattr(request, "stagedoor_seen_builds", None)
    if found is None:
        found = seen_builds_by(actor_of(request))
        request.stagedoor_seen_builds = found  # type: ignore[attr-defined]
    return found


def seen_builds_or_denied(request: HttpRequest, label: str) -> SeenBuilds:
    """What a list may show to the person; who sees nothing at all is Denied, and told why."""
    seen = seen_builds(request)
    if seen.nothing:
        require(request, VIEW, Target(label))
    return seen
