"""What the pages read of pipelines and builds, in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from catalog.models import Entity
from catalog.relations import batches
from pipelines.accounts import started_by
from pipelines.models import Build, Pipeline, PipelineLink, Trigger
from pipelines.outbox import MAX_LOOKUPS
from pipelines.seen import SeenBuilds

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
State = Trigger.State
# Asked for and without an outcome so far.
OPEN_TRIGGERS = (
    State.AWAITING,
    State.QUEUED,
    State.DISPATCHING,
    State.DISPATCHED,
    State.UNCERTAIN,
)


def links_of(entity: Entity) -> list[PipelineLink]:
    """The entity's links with their pipelines and servers, in the order that its descriptor names
    them: what is written first is the main one."""
    links = PipelineLink.objects.filter(entity=entity).select_related("pipeline__server")
    lines, written = entity.annotation_lines, entity.annotations

    def place(link: PipelineLink) -> tuple[int, int]:
        """Line, and column of the value; what is not found there (a project's branches) is first,
        by name."""
        value = str(written.get(link.annotation, ""))
        return lines.get(link.annotation, 0), value.find(link.pipeline.external_id)

    return sorted(links.order_by("pipeline__server__name", "pipeline__name"), key=place)


def acting_link(build: Build, links: Iterable[PipelineLink]) -> PipelineLink | None:
    """As which service a build is cancelled or retried: the one it was started for, where it still
    is linked; else one whose link is confirmed. `links` are those of its pipeline."""
    wanted = build.trigger.entity_id if build.trigger else None
    confirmed = PipelineLink.Status.CONFIRMED
    return min(
        links,
        # The oldest of several, so that a page and what it sends mean the same one.
        key=lambda link: (link.entity_id != wanted, link.status != confirmed, link.pk),
        default=None,
    )


def acting_link_seen(
    seen: SeenBuilds, build: Build, links: Sequence[PipelineLink]
) -> PipelineLink | None:
    """The one of a service that the person sees. Whose role is on the pipeline or its server sees
    none, and acts as the one that the build is of."""
    return acting_link(build, seen.links(links) or links)


def newest_of_default_branch(pipeline: Pipeline, builds: Iterable[Build]) -> Build | None:
    """The build that a pipeline's state is about; `builds` are its own, newest first."""
    branch = pipeline.default_branch
    return next((build for build in builds if not branch or build.branch in ("", branch)), None)


def newest_builds(pipeline_ids: Iterable[int], limit: int) -> dict[int, list[Build]]:
    """The newest builds of each pipeline, newest first; one query whatever their number."""
    found: dict[int, list[Build]] = defaultdict(list)
    ids = list(pipeline_ids)
    if not ids:
        return found
    numbered = (
        Build.objects.filter(pipeline__in=ids)
        .annotate(
            position=Window(
                RowNumber(),
                partition_by=[F("pipeline")],
                order_by=[F("queued_at").desc(), F("pk").desc()],
            )
        )
        .filter(position__lte=limit)
        .select_related("trigger__build__trigger", "pipeline__server")
        .order_by("-queued_at", "-pk")
    )
    for build in numbered:
        found[build.pipeline_id].append(build)
    return found


def states_of(entities: Iterable[Entity]) -> dict[int, Build]:
    """Per entity with builds its most telling newest one; two queries for a whole page.

    Each pipeline's newest build is looked up by index, however many builds there are.
    """
    links = PipelineLink.objects.filter(entity__in=list(entities)).annotate(
        newest=Subquery(_newest_of_link().values("pk")[:1])
    )
    newest_ids = list(links.exclude(newest=None).values_list("entity_id", "newest"))
    builds = Build.objects.select_related("pipeline").in_bulk([pk for _, pk in newest_ids])
    telling: dict[int, Build] = {}
    for entity_id, pk in newest_ids:
        build = builds.get(pk)
        known = telling.get(entity_id)
        if build is not None and (known is None or _rank(build) < _rank(known)):
            telling[entity_id] = build
    return telling


def worst_states(entity_ids: Collection[int]) -> dict[int, str]:
    """{pk of an entity with builds: the most telling of its pipelines' newest states}; one query
    for a thousand entities."""
    found: dict[int, str] = {}
    for ids in batches(entity_ids):
        links = PipelineLink.objects.filter(entity__in=ids).annotate(
            newest=Subquery(_newest_of_link().values("state")[:1])
        )
        for entity_id, state in links.exclude(newest=None).values_list("entity_id", "newest"):
            known = found.get(entity_id, state)
            found[entity_id] = min(known, state, key=WORST_FIRST.index)
    return found


def _newest_of_link() -> QuerySet[Build]:
    """For a subquery of PipelineLink: the builds that its pipeline's state is about."""
    on_default_branch = Q(branch="") | Q(branch=OuterRef("pipeline__default_branch"))
    return (
        Build.objects.filter(pipeline=OuterRef("pipeline"))
        .filter(on_default_branch | Q(pipeline__default_branch=""))
        .order_by("-queued_at", "-pk")
    )


def worst(builds: Iterable[Build]) -> Build | None:
    """The build that a service's state is about, of its pipelines' newest ones: of those in the
    worst state the newest."""
    return min(builds, key=_rank, default=None)


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


def build_list(seen: SeenBuilds, *, state: str = "", mine: int | None = None) -> QuerySet[Build]:
    """Builds over all servers that may be seen, newest first; `mine` is a user's id."""
    builds = seen.builds(Build.objects.select_related("pipeline__server", "trigger"))
    builds = builds.order_by("-queued_at", "-pk")
    if state:
        builds = builds.filter(state=state)
    if mine is not None:
        builds = builds.filter(started_by(mine))
    return builds


def triggers_of(user_id: int, limit: int = 5) -> QuerySet[Trigger]:
    """What a person asked for most recently."""
    return (
        Trigger.objects.filter(actor_id=user_id)
        .select_related("pipeline", "entity", "started_build", "build")
        .order_by("-pk")[:limit]
    )


def settles_itself(trigger: Trigger) -> bool:
    """Whether its state will change without a person, so that a page should look again."""
    if trigger.state == State.AWAITING:
        return False
    if trigger.state == State.UNCERTAIN:
        return trigger.lookups < MAX_LOOKUPS
    return trigger.state in OPEN_TRIGGERS


def _rank(build: Build) -> tuple[int, float]:
    return WORST_FIRST.index(build.state), -build.queued_at.timestamp()
