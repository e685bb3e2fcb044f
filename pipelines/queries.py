"""What the pages read of pipelines and builds, in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from catalog.models import Entity
from pipelines.models import Build, Pipeline, PipelineLink, Trigger

# What a reader must see first when several pipelines differ.
WORST_FIRST = (
    "failed",
    "unknown",
    "waiting",
    "running",
    "queued",
    "cancelled",
    "passed",
    "skipped",
)
MOVING = ("queued", "running", "waiting", "unknown")


@dataclass(frozen=True)
class PipelineBuilds:
    """One linked pipeline with its newest builds."""

    link: PipelineLink
    builds: list[Build]

    @property
    def pipeline(self) -> Pipeline:
        return self.link.pipeline

    @property
    def last(self) -> Build | None:
        """The newest build of the default branch, which is what a state is about."""
        branch = self.pipeline.default_branch
        return next((b for b in self.builds if not branch or b.branch in ("", branch)), None)

    @property
    def moving(self) -> bool:
        return any(build.state in MOVING for build in self.builds)


def pipelines_of(entity: Entity, builds: int = 5) -> list[PipelineBuilds]:
    """The entity's pipelines with their newest builds; two queries."""
    links = list(
        PipelineLink.objects.filter(entity=entity)
        .select_related("pipeline__server")
        .order_by("pipeline__server__name", "pipeline__name")
    )
    newest = newest_builds([link.pipeline_id for link in links], builds)
    return [PipelineBuilds(link, newest[link.pipeline_id]) for link in links]


def newest_builds(pipeline_ids: Iterable[int], limit: int) -> dict[int, list[Build]]:
    """The newest builds of each pipeline, newest first; one query whatever their number."""
    found: dict[int, list[Build]] = defaultdict(list)
    numbered = (
        Build.objects.filter(pipeline__in=list(pipeline_ids))
        .annotate(
            position=Window(
                RowNumber(),
                partition_by=[F("pipeline")],
                order_by=[F("queued_at").desc(), F("pk").desc()],
            )
        )
        .filter(position__lte=limit)
        .select_related("trigger", "pipeline")
        .order_by("-queued_at", "-pk")
    )
    for build in numbered:
        found[build.pipeline_id].append(build)
    return found


def states_of(entities: Iterable[Entity]) -> dict[int, Build]:
    """Per entity with builds its most telling newest one; two queries for a whole page.

    Each pipeline's newest build is looked up by index, however many builds there are.
    """
    on_default_branch = Q(branch="") | Q(branch=OuterRef("pipeline__default_branch"))
    newest = (
        Build.objects.filter(pipeline=OuterRef("pipeline"))
        .filter(on_default_branch | Q(pipeline__default_branch=""))
        .order_by("-queued_at", "-pk")
    )
    links = PipelineLink.objects.filter(entity__in=list(entities)).annotate(
        newest=Subquery(newest.values("pk")[:1])
    )
    newest_ids = list(links.exclude(newest=None).values_list("entity_id", "newest"))
    builds = Build.objects.select_related("pipeline").in_bulk([pk for _, pk in newest_ids])
    worst: dict[int, Build] = {}
    for entity_id, pk in newest_ids:
        build = builds.get(pk)
        known = worst.get(entity_id)
        if build is not None and (known is None or _rank(build) < _rank(known)):
            worst[entity_id] = build
    return worst


def worst_of(groups: list[PipelineBuilds]) -> Build | None:
    """The build that a service's state is about: the worst of its pipelines' newest."""
    newest = [group.last for group in groups if group.last is not None]
    return min(newest, key=_rank, default=None)


def last_good(build: Build) -> Build | None:
    """The newest passed build of the same pipeline and branch before this one."""
    return (
        Build.objects.filter(
            pipeline=build.pipeline,
            branch=build.branch,
            state="passed",
            queued_at__lt=build.queued_at,
        )
        .order_by("-queued_at")
        .first()
    )


def broken_since(build: Build) -> Build:
    """The first failure of the unbroken row of failures that `build` ends."""
    good = last_good(build)
    row = Build.objects.filter(
        pipeline=build.pipeline, branch=build.branch, state="failed", queued_at__lte=build.queued_at
    )
    if good is not None:
        row = row.filter(queued_at__gt=good.queued_at)
    return row.order_by("queued_at").first() or build


def recent_branches(pipeline: Pipeline, limit: int = 8) -> list[str]:
    """The default branch first, then those that were built most recently."""
    recent = (
        Build.objects.filter(pipeline=pipeline)
        .exclude(branch="")
        .order_by("-queued_at")
        .values_list("branch", flat=True)[:200]
    )
    first = [pipeline.default_branch] if pipeline.default_branch else []
    return list(dict.fromkeys([*first, *recent]))[:limit]


def build_list(*, state: str = "", mine: int | None = None) -> QuerySet[Build]:
    """Builds over all servers, newest first; `mine` is a user's id."""
    builds = Build.objects.select_related("pipeline__server", "trigger").order_by(
        "-queued_at", "-pk"
    )
    if state:
        builds = builds.filter(state=state)
    if mine is not None:
        builds = builds.filter(trigger__actor_id=mine)
    return builds


def triggers_of(user_id: int, limit: int = 5) -> QuerySet[Trigger]:
    """What a person asked for most recently."""
    return (
        Trigger.objects.filter(actor_id=user_id)
        .select_related("pipeline", "entity", "started_build", "build")
        .order_by("-pk")[:limit]
    )


def _rank(build: Build) -> int:
    return WORST_FIRST.index(build.state)
