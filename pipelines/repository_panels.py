"""What pipelines add to a repository's page: its builds, and the annotations that would name them.

A repository without a descriptor grants nobody anything, so its builds are shown and never run
from here.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string

from catalog.models import Repository
from pipelines import accounts
from pipelines.models import Pipeline
from pipelines.panels import Panels, ask_for
from pipelines.providers import PROVIDERS
from pipelines.queries import newest_builds
from pipelines.repository_places import is_at
from pipelines.seen import seen_builds

BUILDS_SHOWN = 5  # of each pipeline
MAX_PIPELINES = 20


def page_panels(place: str, request: HttpRequest, objects: Sequence[Repository]) -> Panels:
    """Hook: the newest builds of each repository."""
    if place != "repository":
        return {}
    found: Panels = {}
    for repository in objects:
        pipelines = seen_builds(request).shown(pipelines_of(repository))
        if not pipelines:
            continue
        ask_for(pipelines)
        newest = newest_builds([pipeline.pk for pipeline in pipelines], BUILDS_SHOWN)
        builds = list(chain.from_iterable(newest.values()))
        accounts.tell(builds)
        builds.sort(key=lambda build: build.queued_at, reverse=True)
        context = {"pipelines": pipelines, "builds": builds}
        found[repository.pk] = render_to_string(
            "pipelines/_repository_builds.html", context, request
        )
    return found


def annotations(repository: Repository) -> dict[str, str]:
    """Hook: what a descriptor would say to be linked to the pipelines that build this."""
    written: dict[str, list[str]] = {}
    for pipeline in pipelines_of(repository):
        adapter = PROVIDERS.get(pipeline.server.provider)
        if adapter is not None and pipeline.runnable:
            written.setdefault(adapter.annotation_keys[0], []).append(pipeline.external_id)
    return {key: ",".join(names) for key, names in written.items()}


def pipelines_of(repository: Repository) -> list[Pipeline]:
    """Those whose address of a repository, or else whose own name, is this one's."""
    name = repository.full_name
    likely = Q(repository__icontains=name) | Q(repository="", external_id__iexact=name)
    rows = Pipeline.objects.filter(likely, gone_at=None).select_related("server")
    return list(_same(rows.order_by("server__name", "name"), repository))[:MAX_PIPELINES]


def _same(pipelines: Iterable[Pipeline], repository: Repository) -> Iterable[Pipeline]:
    for pipeline in pipelines:
        if not pipeline.repository or is_at(repository, pipeline.repository):
            yield pipeline
