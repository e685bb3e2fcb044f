"""A server's list of pipelines becomes rows; one that was renamed there keeps its row.

The vendor's own id decides what is the same pipeline, and the name decides what it may: claims,
environments and links are computed anew from the name that holds now.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from pipelines import freezes
from pipelines.bounds import repository, text, usable_id, web_url
from pipelines.budget import Purpose
from pipelines.models import Pipeline, Server
from pipelines.providers.base import RemoteParameter, RemotePipeline
from pipelines.providers.errors import InvalidResponse
from pipelines.servers import client_for
from portal import audit

audit.register("pipeline.renamed", "followed a pipeline to its new name")
audit.register("pipeline.replaced", "found another pipeline under a known name")

BATCH = 500
STORED = ("name", "web_url", "repository", "default_branch", "runnable", "stable_id", "active")
# What get_pipeline() tells besides the parameters, where a list does not tell those.
DETAILS = ("runnable", "active")


def refresh_pipelines(
    server: Server, purpose: Purpose = Purpose.LIST, sent: list[datetime] | None = None
) -> int:
    """Reads the list of pipelines and keeps it; returns how many there are.

    A pipeline that is no longer listed is marked with the time, never deleted: builds and
    triggers belong to it. A list that failed changes nothing and raises its ProviderError. So
    does an empty list where there were pipelines: a token that lost its rights looks like that.
    """
    asked_at = timezone.now()
    remote = client_for(server, purpose, sent).list_pipelines()
    known = Pipeline.objects.filter(server=server, gone_at=None)
    if not remote and known.exists():
        raise InvalidResponse(
            f"{server.name} lists no pipelines at all, though {known.count()} are known. Nothing "
            "was changed. Check the rights of its credential; if it really is empty, disable it."
        )
    with transaction.atomic():
        store(server, remote, asked_at)
    return len(remote)


def parameters_of(pipeline: RemotePipeline) -> list[dict[str, object]]:
    """The declared parameters as they are stored."""
    return [_parameter(parameter) for parameter in pipeline.parameters or ()]


def store(server: Server, remote: Sequence[RemotePipeline], at: datetime) -> None:
    # By id: a server that lists one pipeline twice must not break the upsert. An id that is
    # longer than ours can be is left out: cut, it would name something else.
    listed = {
        pipeline.external_id: pipeline
        for pipeline in remote
        if usable_id(pipeline.external_id, 500)
    }
    _follow_names(server, listed.values(), at)
    told = [pipeline for pipeline in listed.values() if pipeline.parameters is not None]
    untold = [pipeline for pipeline in listed.values() if pipeline.parameters is None]
    _upsert(server, told, at, (*STORED, "parameters"))
    # A list that does not tell parameters leaves what get_pipeline() told.
    _upsert(server, untold, at, [name for name in STORED if name not in DETAILS])
    Pipeline.objects.filter(server=server, gone_at=None, listed_at__lt=at).update(gone_at=at)
    Pipeline.objects.filter(server=server, gone_at=None, listed_at=None).update(gone_at=at)


def _upsert(
    server: Server, listed: Sequence[RemotePipeline], at: datetime, fields: Sequence[str]
) -> None:
    Pipeline.objects.bulk_create(
        [
            Pipeline(
                server=server,
                external_id=pipeline.external_id,
                name=text(pipeline.name or pipeline.external_id, 300),
                web_url=web_url(pipeline.web_url),
                repository=repository(pipeline.repository),
                default_branch=text(pipeline.default_branch, 255),
                parameters=parameters_of(pipeline),
                runnable=pipeline.runnable,
                stable_id=_stable_id(pipeline),
                active=pipeline.active,
                listed_at=at,
                gone_at=None,
            )
            for pipeline in listed
        ],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["server", "external_id"],
        update_fields=[*fields, "listed_at", "gone_at"],
    )


# --- Renames -----------------------------------------------------------------------------------
def _follow_names(server: Server, listed: Iterable[RemotePipeline], at: datetime) -> None:
    """Moves rows to the names that their stable ids have now, chains and swaps included.

    A row in the way that is another pipeline by its id (deleted, and its name used again) steps
    aside with its history. An id that is listed under two names says nothing.
    """
    names: dict[str, list[str]] = {}
    for pipeline in listed:
        names.setdefault(_stable_id(pipeline), []).append(pipeline.external_id)
    now_at = {stable: found[0] for stable, found in names.items() if stable and len(found) == 1}
    moves = _moves(server, now_at)
    arriving = set(moves.values()) | set(now_at.values())
    for row in _in_the_way(server, arriving, now_at, moves):
        moves[row] = f"{row.external_id[:380]} (replaced {row.pk})"
        row.gone_at = row.gone_at or at
    # By way of names that nothing has, because each name belongs to one row at any moment.
    for row in moves:
        Pipeline.objects.filter(pk=row.pk).update(external_id=f"\x1f{row.pk}", gone_at=row.gone_at)
    for row, name in moves.items():
        Pipeline.objects.filter(pk=row.pk).update(external_id=name)
        replaced = name not in arriving
        audit.record(
            "pipeline.replaced" if replaced else "pipeline.renamed",
            target=f"{server.slug}:{name}",
            data={"from": row.external_id, "to": name},
        )
    if moves:
        # Freezes know what they have covered by its name: not for a moment out of one.
        freezes.cover([row.pk for row in moves])


def _moves(server: Server, now_at: dict[str, str]) -> dict[Pipeline, str]:
    """Known rows whose stable id is listed under another name, with that name."""
    rows = Pipeline.objects.filter(server=server).exclude(stable_id="")
    found: dict[str, Pipeline] = {}
    # Of several with one id, the one that is still listed.
    for row in rows.only("external_id", "stable_id", "gone_at").order_by("-gone_at", "pk"):
        known = found.get(row.stable_id)
        if known is None or known.gone_at is not None:
            found[row.stable_id] = row
    return {
        row: now_at[stable]
        for stable, row in found.items()
        if stable in now_at and now_at[stable] != row.external_id
    }


def _in_the_way(
    server: Server, arriving: set[str], now_at: dict[str, str], moves: dict[Pipeline, str]
) -> list[Pipeline]:
    """Rows that hold a listed name, do not move, and are not the pipeline listed there."""
    listed_as = {name: stable for stable, name in now_at.items()}
    taken = set(moves.values())
    rows = Pipeline.objects.filter(server=server).only("external_id", "stable_id", "gone_at")
    return [
        row
        for row in rows
        if row.external_id in arriving
        and row not in moves
        and row.stable_id != listed_as[row.external_id]
        # A row from before ids were kept is the same pipeline, unless its name is taken.
        and (row.stable_id or row.external_id in taken)
    ]


def _stable_id(pipeline: RemotePipeline) -> str:
    return pipeline.stable_id if usable_id(pipeline.stable_id, 100) else ""


def _parameter(parameter: RemoteParameter) -> dict[str, object]:
    return {
        "name": text(parameter.name, 200),
        "type": parameter.type,
        "default": text(parameter.default),
        "choices": [text(choice) for choice in parameter.choices],
        "description": text(parameter.description, 1000),
    }
