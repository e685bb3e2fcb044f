"""Annotations become links to pipelines, and links change when an admin gives or takes a word.

What a link grants is computed in standing.py; here it is stored, and audited when it changes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest
from django.utils import timezone

from catalog.models import Entity
from catalog.scopes import scopes_of
from pipelines import freezes
from pipelines.annotations import Directory, Named, Problem
from pipelines.models import LinkProblem, Pipeline, PipelineLink, Server
from pipelines.scopes import link_scopes
from pipelines.standing import RELATED, source_of, standing
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target, decide

audit.register("link.confirm", "confirmed a pipeline link")
audit.register("link.unconfirm", "took back the confirmation of a pipeline link")
audit.register("link.change", "changed what a pipeline link grants")

BATCH = 300
Status = PipelineLink.Status


def link_entities(entity_ids: Iterable[int] | None = None) -> None:
    """Brings links and problems in line with the annotations of these entities, or of all.

    May be repeated and run in parallel: batches wait for each other, and none writes what an
    earlier list of pipelines said. Ids that are gone from the catalog free the pipelines that they
    were in conflict about.
    """
    if entity_ids is None:
        ids = list(Entity.objects.order_by("pk").values_list("pk", flat=True))
    else:
        ids = sorted(set(entity_ids))
    directory = Directory()
    found = 0
    for start in range(0, len(ids), BATCH):
        with transaction.atomic():
            _one_at_a_time()
            if not directory.is_current():
                directory = Directory()
            found += _link_batch(ids[start : start + BATCH], directory)
    if found < len(ids):
        disputed = PipelineLink.objects.filter(status=Status.CONFLICT)
        decide_standing(set(disputed.values_list("pipeline_id", flat=True)))


def decide_standing(pipeline_ids: Iterable[int]) -> None:
    """Computes anew what every link of these pipelines grants, and audits what changed."""
    with transaction.atomic():
        ids = _locked(set(pipeline_ids))
        links = PipelineLink.objects.filter(pipeline__in=ids).select_related(*RELATED)
        by_pipeline: dict[int, list[PipelineLink]] = defaultdict(list)
        for link in links.order_by("pk"):
            by_pipeline[link.pipeline_id].append(link)
        for group in by_pipeline.values():
            _withdraw_stale_words(group)
            for link, (status, reason) in zip(group, standing(group), strict=True):
                _set_standing(link, status, reason)
        freezes.cover(ids)


def audit_removed(entity_ids: Iterable[int]) -> None:
    """Before these entities are deleted, and their links with them; in that transaction."""
    ids = sorted(set(entity_ids))
    for start in range(0, len(ids), BATCH):
        confirmed = PipelineLink.objects.filter(
            entity__in=ids[start : start + BATCH], status=Status.CONFIRMED
        ).select_related("entity", "pipeline")
        for link in confirmed:
            _audit_change(link, "The entity was removed from the catalog.")


def decide_server(server: Server) -> None:
    """After its claims changed."""
    linked = PipelineLink.objects.filter(pipeline__server=server)
    decide_standing(set(linked.values_list("pipeline_id", flat=True)))


def confirm(user: User, link_id: int, request: HttpRequest | None = None) -> Decision:
    """Gives an admin's word that this entity may trigger this pipeline, if policy lets them.

    The decision says whether it was given; both outcomes are audited, a repetition is not.
    """
    return _give_word(user, link_id, request, given=True)


def unconfirm(user: User, link_id: int, request: HttpRequest | None = None) -> Decision:
    """Takes the word back; the server's claims may still cover the link."""
    return _give_word(user, link_id, request, given=False)


def _give_word(user: User, link_id: int, request: HttpRequest | None, *, given: bool) -> Decision:
    with transaction.atomic():
        related = ("entity__source", "pipeline__server")
        link = PipelineLink.objects.select_related(*related).get(pk=link_id)
        _locked({link.pipeline_id})
        actor = fresh_actor(user.pk)
        decision = _may_give_word(actor, link, given=given)
        changed = decision.allowed and _set_word(link, user if given else None)
        if changed or not decision.allowed:
            audit.record(
                "link.confirm" if given else "link.unconfirm",
                actor=actor,
                target=str(link),
                outcome="ok" if decision.allowed else "denied",
                decision=decision,
                request=request,
            )
        if changed:
            decide_standing({link.pipeline_id})
    return decision


def _may_give_word(actor: Actor, link: PipelineLink, *, given: bool) -> Decision:
    """To take it back, the service is enough."""
    service, pipeline = link_scopes(scopes_of(link.entity), link.pipeline)
    target = Target(label=str(link.entity), scopes=service)
    decision = decide(actor, "link.confirm", target, now=timezone.now())
    if not given or not decision.allowed:
        return decision
    target = Target(label=str(link.pipeline), scopes=pipeline)
    return decide(actor, "link.confirm", target, now=timezone.now())


def _set_word(link: PipelineLink, user: User | None) -> bool:
    """Notes who gave the word, None for nobody; False when it stood like that already."""
    given = user is not None
    rows = PipelineLink.objects.filter(pk=link.pk, confirmed_at__isnull=given)
    values = {
        "confirmed_at": timezone.now() if given else None,
        "confirmed_by": user,
        "confirmed_source": source_of(link) if given else "",
    }
    return bool(rows.update(**values))


def _one_at_a_time() -> None:
    """Servers are read at the same time, and each reading links: without this, the one that looked
    first could write last, and bring back what it had not found yet. SQLite has one writer anyway.
    """
    list(Server.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _link_batch(ids: Sequence[int], directory: Directory) -> int:
    """Links these entities; returns how many of them the catalog has."""
    # Of ten thousand documents nothing is wanted but the annotations.
    written = KeyTransform("annotations", KeyTransform("metadata", "document"))
    light = Entity.objects.only("state", "location", "line", "annotation_lines")
    entities = list(light.filter(pk__in=ids).annotate(written=written))
    named: dict[int, list[Named]] = {}
    problems: dict[int, list[Problem]] = {}
    for entity in entities:
        supported = entity.state != Entity.State.UNSUPPORTED
        named[entity.pk], problems[entity.pk] = (
            directory.look_up(entity.written or {}) if supported else ([], [])
        )
    before = PipelineLink.objects.filter(entity__in=named)
    touched = set(before.values_list("pipeline_id", flat=True))
    touched |= {item.pipeline_id for found in named.values() for item in found}
    _locked(touched)
    _store_links(named)
    _store_problems(entities, problems)
    decide_standing(touched)
    return len(entities)


def _store_links(named: dict[int, list[Named]]) -> None:
    wanted = {
        (entity_id, item.pipeline_id): item.annotation[:255]
        for entity_id, found in named.items()
        for item in found
    }
    links = PipelineLink.objects.filter(entity__in=named).select_related("entity", "pipeline")
    for link in links:
        annotation = wanted.pop((link.entity_id, link.pipeline_id), None)
        if annotation is None:
            _audit_change(link, "The annotation was removed.")
            link.delete()
        elif annotation != link.annotation:
            PipelineLink.objects.filter(pk=link.pk).update(annotation=annotation)
    # A pipeline that was deleted meanwhile fails the whole batch, which the sweep repeats.
    PipelineLink.objects.bulk_create(
        [
            PipelineLink(entity_id=entity_id, pipeline_id=pipeline_id, annotation=annotation)
            for (entity_id, pipeline_id), annotation in wanted.items()
        ],
        ignore_conflicts=True,
    )


def _store_problems(entities: Sequence[Entity], problems: dict[int, list[Problem]]) -> None:
    fields = ("entity_id", "annotation", "value", "location", "line", "message", "nearest")
    wanted = {
        (
            entity.pk,
            problem.annotation[:255],
            problem.value[:500],
            entity.location,
            entity.annotation_lines.get(problem.annotation, entity.line),
            problem.message,
            problem.nearest[:500],
        )
        for entity in entities
        for problem in problems[entity.pk]
    }
    for pk, *row in LinkProblem.objects.filter(entity__in=problems).values_list("pk", *fields):
        if tuple(row) in wanted:
            wanted.discard(tuple(row))
        else:
            LinkProblem.objects.filter(pk=pk).delete()
    LinkProblem.objects.bulk_create(
        LinkProblem(**dict(zip(fields, row, strict=True)))
        for row in sorted(wanted, key=lambda row: (row[0], row[4] or 0, row[2]))
    )


def _locked(pipeline_ids: set[int]) -> list[int]:
    """Locks the pipelines, always in one order, so that two batches can't deadlock or decide on
    each other's half-written links."""
    rows = Pipeline.objects.select_for_update().filter(pk__in=pipeline_ids).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def _withdraw_stale_words(links: Sequence[PipelineLink]) -> None:
    """A name that another source now provides does not inherit the confirmation."""
    for link in links:
        if link.confirmed_at is None or link.confirmed_source == source_of(link):
            continue
        link.confirmed_at, link.confirmed_by, link.confirmed_source = None, None, ""
        link.save(update_fields=["confirmed_at", "confirmed_by", "confirmed_source"])
        audit.record("link.unconfirm", target=str(link), reason="It comes from another source now.")


def _set_standing(link: PipelineLink, status: PipelineLink.Status, reason: str) -> None:
    if (link.status, link.reason) == (status, reason):
        return
    PipelineLink.objects.filter(pk=link.pk).update(status=status, reason=reason)
    if (link.status == Status.CONFIRMED) != (status == Status.CONFIRMED):
        _audit_change(link, reason, to=status)


def _audit_change(link: PipelineLink, reason: str, to: str = "") -> None:
    if Status.CONFIRMED in (link.status, to):
        audit.record(
            "link.change", target=str(link), reason=reason, data={"from": link.status, "to": to}
        )
