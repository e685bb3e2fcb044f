"""Sources that people register themselves: made, tried beforehand, and taken away again.

Page, API and command line call these. A registered source is never trusted for the organisation
and never has a credential: it reads what anybody may read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from catalog import runs, sync, teams, version
from catalog.analyse import Analysis, analyse
from catalog.apply import remove
from catalog.lock import catalog_lock
from catalog.models import Entity, Source, SyncRun
from catalog.plan import Plan
from catalog.preview import preview
from catalog.queries import ROW_FIELDS
from catalog.reading import Issue
from catalog.sources import SourceFailed, SourceSpec, git_reader, reader_for
from catalog.sources.git_process import hurried
from portal import audit, hooks
from portal.access import fresh_actor
from portal.guard import Denied
from portal.http import origin
from portal.policy import Actor, Decision, Target, decide

ACTION, CHANGE, UNREGISTER = "source.register", "source.change", "source.unregister"
REMOVE = "entity.remove"
audit.register(ACTION, "registered a catalog source")
audit.register(CHANGE, "gave a catalog source another address")
audit.register(REMOVE, "removed an entity that comes back if it is still described")
audit.register(UNREGISTER, "unregistered a catalog source")
REGISTER_TARGET = Target("the catalog's sources")
# Kinds that a person may take away again; the others are an administrator's.
REGISTRABLE = frozenset({Source.Kind.URL, Source.Kind.GIT})
# Who is in which team may go with one of these.
ORG_KINDS = frozenset({"Group", "User"})
MAX_SLUG = 50
MAX_NAME = 100
# Of a Backstage that is read beside this portal: a whole catalog each time.
BACKSTAGE_SECONDS = 1800


class Refused(Exception):
    """It was not done; the text says why, `source` is the one that reads it already."""

    def __init__(self, sentence: str, source: Source | None = None) -> None:
        super().__init__(sentence)
        self.source = source


@dataclass(frozen=True)
class Trial:
    """An address, what would happen, and what stands in the way: "" when nothing does.

    `branch` is set where there is a repository and no descriptor in it.
    """

    analysis: Analysis
    plan: Plan | None
    problem: str = ""
    issues: Sequence[Issue] = ()
    branch: str = ""

    @property
    def empty(self) -> bool:
        """The address can be read, and nothing is described there."""
        return self.plan is not None and not (self.plan.added or self.plan.changed)


def decide_for(actor: Actor) -> Decision:
    """A registered source may describe anything, so only a grant for everything covers it."""
    return decide(actor, ACTION, REGISTER_TARGET, now=timezone.now())


def try_out(url: str) -> Trial:
    """What registering the address would do; changes nothing. Raises NotUsable."""
    analysis = analyse(url)
    if analysis.known:
        return Trial(analysis, None)
    with hurried():
        try:
            return Trial(analysis, preview(analysis.spec, analysis.name))
        except SourceFailed as failed:
            branch = "" if failed.issues else _branch_of(analysis.spec)
            return Trial(analysis, None, str(failed), failed.issues, branch)


def _branch_of(spec: SourceSpec) -> str:
    """The branch where a descriptor could be, if there is a repository at all."""
    if spec.kind != Source.Kind.GIT:
        return ""
    try:
        reader = git_reader(spec)
        reader.open()
    except SourceFailed:
        return ""
    return reader.branch


def register(
    url: str, user: User, request: HttpRequest | None = None, name: str = ""
) -> tuple[Source, SyncRun]:
    """The new source, and the run to hand to a worker.

    Raises NotUsable, Refused when it is read already, Denied.
    """
    actor = fresh_actor(user.pk)
    decision = decide_for(actor)
    if not decision.allowed:
        _record(actor, decision, request, url)
        raise Denied(decision)
    analysis = analyse(url)
    if analysis.source is not None:
        raise Refused(f"It is read already, by the source “{analysis.source}”.", analysis.source)
    with transaction.atomic():
        source = _create(analysis.spec, name.strip() or analysis.name, registered_by=user)
        run = runs.request(source, SyncRun.Cause.PERSON, user)
        _record(actor, decision, request, analysis.url, source)
    return source, run


def change(source: Source, found: Analysis, user: User, request: HttpRequest) -> SyncRun:
    """Has the source read another address, and asks for that reading; the caller has decided.

    Raises Refused.
    """
    given = source.credential_ref or source.trusted_for_org
    if given or not can_unregister(source):
        # Its credential, and the trust in it, are for the address that it has.
        raise Refused("An administrator made or trusts this source; they can change it.")
    if found.source is not None and found.source != source:
        sentence = f"The source {found.source.slug} reads this address already."
        raise Refused(sentence, found.source)
    before = source.target
    with transaction.atomic():
        source.kind, source.target = found.spec.kind, found.spec.target
        source.options = dict(found.spec.options)
        source.save(update_fields=["kind", "target", "options"])
        run = runs.request(source, SyncRun.Cause.PERSON, user)
        data = {"before": before, "after": source.target}
        audit.record(CHANGE, user=user, target=f"source: {source.slug}", request=request, data=data)
    return run


def can_unregister(source: Source) -> bool:
    """Whether a person may take it away here; what an administrator made with care, only they."""
    return source.registered_by_id is not None or (
        source.kind in REGISTRABLE and not source.credential_ref and not source.trusted_for_org
    )


def what_goes(source: Source) -> QuerySet[Entity]:
    """Every entity that only this source describes, by ref."""
    return Entity.objects.filter(source=source).only(*ROW_FIELDS).order_by("ref")


def unregister(source: Source, user: User, request: HttpRequest | None = None) -> int:
    """Deletes the source; its entities are marked as missing now and removed after the grace.

    How many these are. Raises Denied, Refused.
    """
    actor = fresh_actor(user.pk)
    decision = decide_for(actor)
    if not decision.allowed:
        _record_unregister(actor, decision, request, source, 0)
        raise Denied(decision)
    if not can_unregister(source):
        raise Refused("An administrator made this source; they can delete it in administration.")
    with catalog_lock():
        count = source.entities.count()
        _record_unregister(actor, decision, request, source, count)
        source.delete()
    sync.retire_orphans()
    return count


def take_out(entity: Entity, user: User, request: HttpRequest) -> SyncRun | None:
    """Removes an entity at once; the caller has decided.

    The run, where there is one, brings it back if its source still describes it.
    """
    source, run = entity.source, None
    with catalog_lock():
        remove([entity.pk])
        if entity.kind in ORG_KINDS:
            teams.rebuild()
        version.bump()
        data = {"uid": str(entity.uid)}
        audit.record(REMOVE, user=user, target=entity.ref, request=request, data=data)
        if source is not None and source.enabled:
            run = runs.request(source, SyncRun.Cause.PERSON, user)
    hooks.catalog_changed.call({entity.pk})
    return run


def backstage_source(
    url: str, credential_ref: str, name: str, filters: Sequence[str]
) -> tuple[Source, bool]:
    """The source that reads this Backstage, and whether it is new. Raises SourceFailed."""
    url = url.strip().rstrip("/")
    options = {"filter": list(filters)} if filters else {}
    spec = SourceSpec(Source.Kind.BACKSTAGE, url, credential_ref, options)
    reader_for(spec)
    source = Source.objects.filter(kind=Source.Kind.BACKSTAGE, target=url).first()
    if source is None:
        made = _create(spec, name or "Backstage", interval_seconds=BACKSTAGE_SECONDS)
        audit.record(ACTION, target=f"source: {made.slug}", data={"url": url, "by": "command line"})
        return made, True
    # What was not named stays as it was.
    if name:
        source.name = name
    if credential_ref:
        source.credential_ref = credential_ref
    if options:
        source.options = {**source.options, **options}
    source.save(update_fields=["name", "credential_ref", "options"])
    return source, False


def _create(spec: SourceSpec, name: str, **more: object) -> Source:
    """A source under the first free slug of its name."""
    stem = slugify(name)[: MAX_SLUG - 4] or "source"
    for number in range(1, 1000):
        slug = stem if number == 1 else f"{stem}-{number}"
        try:
            with transaction.atomic():
                return Source.objects.create(
                    slug=slug,
                    name=name[:MAX_NAME],
                    kind=spec.kind,
                    target=spec.target,
                    credential_ref=spec.credential_ref,
                    options=dict(spec.options),
                    trusted_for_org=False,
                    **more,
                )
        except IntegrityError:
            if not Source.objects.filter(slug=slug).exists():
                raise
    raise Refused("There are too many sources of this name; give it another.")


def _record(
    actor: Actor,
    decision: Decision,
    request: HttpRequest | None,
    url: str,
    source: Source | None = None,
) -> None:
    # Nobody has looked whether a refused address holds a password.
    data = {"url": origin(url)}
    if source is not None:
        data = {"url": url, "kind": source.kind, "target": source.target}
    audit.record(
        ACTION,
        actor=actor,
        target=f"source: {source.slug}" if source else "the catalog's sources",
        outcome="ok" if source else "denied",
        decision=decision,
        request=request,
        data=data,
    )


def _record_unregister(
    actor: Actor, decision: Decision, request: HttpRequest | None, source: Source, count: int
) -> None:
    audit.record(
        UNREGISTER,
        actor=actor,
        target=f"source: {source.slug}",
        outcome="ok" if decision.allowed else "denied",
        decision=decision,
        request=request,
        data={"kind": source.kind, "target": source.target, "entities": count},
    )
