"""The problems of a source's latest reading as rows, and which entities they are about."""

from collections import Counter
from collections.abc import Collection, Iterable
from operator import attrgetter

from django.db import transaction
from django.db.models import Exists, OuterRef

from catalog import version
from catalog.models import Entity, SyncIssue, SyncRun
from catalog.reading import SOURCE_STAGE, Issue
from catalog.relations import batches
from portal.text import storable

MAX_ISSUES = 5_000
MAX_MESSAGE = 5_000
MAX_REF = 255
# Kept up by catalog/docs/reading.py, which does not look at everything each time.
DOCS_STAGE = "docs"
# What makes two of a source's problems the same, its ref first
_COMPARED = (
    *("entity_ref", "severity", "stage", "location"),
    *("document_index", "line", "column", "message"),
)
_compared = attrgetter(*_COMPARED)


def replace(
    run: SyncRun, found: list[Issue], kept: Collection[str], inside: Collection[str] | None
) -> int:
    """Writes what a reading found in place of what the one before it did; how many there are now.

    The problems of files in `kept` stay; with `inside`, so do those of all files but these.
    """
    drop, left = [], 0
    held = SyncIssue.objects.filter(source=run.source_id).exclude(stage=DOCS_STAGE)
    for pk, stage, location in held.values_list("pk", "stage", "location"):
        stays = location in kept or (inside is not None and location not in inside)
        if stays and stage != SOURCE_STAGE:
            left += 1
        else:
            drop.append(pk)
    _exchange(run, drop, found)
    return left + len(found)


def fail(run: SyncRun, found: list[Issue]) -> None:
    """What a reading that failed found; the problems of the last good one stay."""
    held = SyncIssue.objects.filter(source=run.source_id, stage=SOURCE_STAGE)
    _exchange(run, list(held.values_list("pk", flat=True)), found)


def save(run: SyncRun, found: list[Issue]) -> None:
    """Adds them to what is known."""
    SyncIssue.objects.bulk_create(_rows(run, found), batch_size=500)


def _exchange(run: SyncRun, old: list[int], found: list[Issue]) -> None:
    """Puts the problems in the place of these rows. Where they are the same, which is how most
    readings end, nothing changes for anybody."""
    known: Counter[tuple[object, ...]] = Counter()
    for batch in batches(old):
        known.update(SyncIssue.objects.filter(pk__in=batch).values_list(*_COMPARED))
    new = _rows(run, found)
    if known == Counter(_compared(issue) for issue in new):
        for batch in batches(old):
            SyncIssue.objects.filter(pk__in=batch).update(run=run)
        return
    for batch in batches(old):
        SyncIssue.objects.filter(pk__in=batch).delete()
    SyncIssue.objects.bulk_create(new, batch_size=500)
    mark({str(ref) for ref, *_ in known} | {issue.entity_ref for issue in new})
    version.bump()


def _rows(run: SyncRun, found: list[Issue]) -> list[SyncIssue]:
    return [
        SyncIssue(
            source_id=run.source_id,
            run=run,
            entity_ref=issue.entity_ref[:MAX_REF],
            severity=issue.severity,
            stage=issue.stage,
            location=storable(issue.location, 500),
            document_index=issue.document_index,
            line=issue.line,
            column=issue.column,
            message=storable(issue.message, MAX_MESSAGE),
        )
        for issue in found[:MAX_ISSUES]
    ]


def unmark_orphans() -> None:
    """For entities of which only a deleted source told problems: these went with it."""
    about = Exists(SyncIssue.objects.filter(entity_ref=OuterRef("ref")))
    marked = Entity.objects.filter(~about, has_issues=True)
    if marked.exists():
        with transaction.atomic():
            marked.update(has_issues=False)
            version.bump()


def mark_new(refs: Iterable[str]) -> None:
    """Of new entities those of whose name a source had a problem before it was anybody's."""
    troubled = set(SyncIssue.objects.values_list("entity_ref", flat=True))
    mark(troubled.intersection(refs))


def mark(refs: Iterable[str]) -> None:
    """Brings Entity.has_issues in line for these, and the version where that changed one."""
    about = Exists(SyncIssue.objects.filter(entity_ref=OuterRef("ref")))
    changed = 0
    for batch in batches({ref for ref in refs if ref}):
        named = Entity.objects.filter(ref__in=batch)
        changed += named.filter(~about, has_issues=True).update(has_issues=False)
        changed += named.filter(about, has_issues=False).update(has_issues=True)
    if changed:
        version.bump()
