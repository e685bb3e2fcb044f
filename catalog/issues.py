"""The problems of a source's latest reading as rows, and which entities they are about."""

from collections.abc import Collection, Iterable

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


def replace(
    run: SyncRun, found: list[Issue], kept: Collection[str], inside: Collection[str] | None
) -> int:
    """Writes what a reading found in place of what the one before it did; how many there are now.

    The problems of files in `kept` stay; with `inside`, so do those of all files but these.
    """
    drop, left = [], 0
    old: set[str] = set()
    held = SyncIssue.objects.filter(source=run.source_id).exclude(stage=DOCS_STAGE)
    for pk, stage, location, ref in held.values_list("pk", "stage", "location", "entity_ref"):
        stays = location in kept or (inside is not None and location not in inside)
        if stays and stage != SOURCE_STAGE:
            left += 1
            continue
        drop.append(pk)
        old.add(ref)
    for batch in batches(drop):
        SyncIssue.objects.filter(pk__in=batch).delete()
    save(run, found)
    mark(old | {issue.entity_ref[:MAX_REF] for issue in found})
    if drop or found:
        version.bump()
    return left + len(found)


def fail(run: SyncRun, found: list[Issue]) -> None:
    """What a reading that failed found; the problems of the last good one stay."""
    held = SyncIssue.objects.filter(source=run.source_id, stage=SOURCE_STAGE)
    old = set(held.values_list("entity_ref", flat=True))
    held.delete()
    save(run, found)
    mark(old | {issue.entity_ref[:MAX_REF] for issue in found})


def save(run: SyncRun, found: list[Issue]) -> None:
    SyncIssue.objects.bulk_create(
        [
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
        ],
        batch_size=500,
    )


def unmark_orphans() -> None:
    """For entities of which only a deleted source told problems: these went with it."""
    about = Exists(SyncIssue.objects.filter(entity_ref=OuterRef("ref")))
    marked = Entity.objects.filter(~about, has_issues=True)
    if marked.exists():
        with transaction.atomic():
            marked.update(has_issues=False)
            version.bump()


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
