"""The scopes of a pipeline: its server and itself; and what such scopes may name."""

from catalog.scopes import Scopes
from pipelines.models import Environment, Pipeline, Server


def scopes_of_pipeline(pipeline: Pipeline) -> Scopes:
    """What covers the pipeline, beside what covers the service that it belongs to. No query where
    the server is at hand."""
    return frozenset({("server", pipeline.server.slug), ("pipeline", name_of(pipeline))})


def link_scopes(service: Scopes, pipeline: Pipeline) -> tuple[Scopes, Scopes]:
    """What the word on a link is about, each by itself: the service, and the pipeline that it is
    lent. Who administers one service alone does not lend it other people's pipelines."""
    return service, scopes_of_pipeline(pipeline)


def name_of(pipeline: Pipeline) -> str:
    """As scopes and patterns name it."""
    return f"{pipeline.server.slug}:{pipeline.external_id}"


def scope_choices(kind: str) -> list[tuple[str, str]]:
    """For the hook `scope_choices`: folders come first, for a pattern names one more often than a
    single pipeline."""
    if kind == "environment":
        return list(Environment.objects.order_by("rank", "slug").values_list("slug", "name"))
    if kind == "server":
        return list(Server.objects.order_by("slug").values_list("slug", "name"))
    if kind != "pipeline":
        return []
    present = Pipeline.objects.filter(gone_at=None).order_by("server__slug", "external_id")
    refs = [f"{slug}:{name}" for slug, name in present.values_list("server__slug", "external_id")]
    folders = sorted({f"{ref.rpartition('/')[0]}/*" for ref in refs if "/" in ref})
    return [*((folder, "all in it") for folder in folders), *((ref, "") for ref in refs)]
