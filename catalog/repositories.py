"""The repositories that a host's source lists, and their open pull requests, as rows.

`record()` runs inside the transaction that applies a reading; `read_pull_requests()` asks the host
and therefore never does. A webhook only flags: what is flagged is read again.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from catalog.apply import grace
from catalog.descriptors import ReadError
from catalog.models import PullRequest, Repository, Source, SourceFile, SyncRun
from catalog.relations import batches
from catalog.sources.base import (
    HostStops,
    RemotePullRequest,
    RemoteRepository,
    RepositoryReader,
)
from portal.text import storable

BATCH = 500
# Read again after, whether or not the host tells of a change.
PULL_REQUESTS_AGE = timedelta(hours=1)
# Of what the host still allows, and how many repositories where it does not tell.
SHARE = 5
UNTOLD = 20
MOST = 200
_ACTIVE, _GONE = Repository.State.ACTIVE, Repository.State.GONE
_TEXTS = ("full_name", "url", "description", "project", "default_branch", "head_commit", "marker")
_LIMITS = {name: getattr(Repository._meta.get_field(name), "max_length", None) for name in _TEXTS}
_WRITTEN = (
    *_TEXTS,
    "archived",
    "descriptor",
    "has_descriptor",
    "state",
)


# --- What a reading begins with --------------------------------------------------------------
def known(source: Source) -> tuple[RemoteRepository, ...]:
    """The source's repositories as last listed; a flagged one as if it were new."""
    return tuple(
        RemoteRepository(
            external_id=row.external_id,
            full_name=row.full_name,
            url=row.url,
            project=row.project,
            default_branch=row.default_branch,
            head_commit=row.head_commit,
            archived=row.archived,
            marker="" if row.flagged_at else row.marker,
            descriptor=row.descriptor,
        )
        for row in Repository.objects.filter(source=source).defer("description")
    )


def flagged(source: Source) -> frozenset[str]:
    """The external ids of what a webhook says has changed."""
    rows = Repository.objects.filter(source=source, state=_ACTIVE).exclude(flagged_at=None)
    return frozenset(rows.values_list("external_id", flat=True))


def flag(repositories: Iterable[Repository], now: datetime) -> None:
    """They are read again as soon as possible, their pull requests too."""
    pks = [repository.pk for repository in repositories]
    Repository.objects.filter(pk__in=pks).update(flagged_at=now, pull_requests_read_at=None)


def unflag(found: QuerySet[Repository], run: SyncRun) -> None:
    """What was flagged before the run began is done with; a later flag stays."""
    found.filter(flagged_at__lte=run.started_at).update(flagged_at=None)


# --- What it found ---------------------------------------------------------------------------
def record(
    source: Source, repositories: Iterable[RemoteRepository], complete: bool, now: datetime
) -> set[str]:
    """Brings the rows in line with what was listed; the caller holds the transaction.

    `complete`: what is not among them is no longer there, which is believed after the time that
    missing entities get, too. Gives the external ids of what is new, has changed or was flagged.
    """
    absent = {row.external_id: row for row in Repository.objects.filter(source=source)}
    began = _began(source) or now
    new: list[Repository] = []
    changed: list[Repository] = []
    same: list[Repository] = []
    touched: set[str] = set()
    for listed in repositories:
        held = absent.pop(listed.external_id, None)
        row = held or Repository(source=source, external_id=listed.external_id)
        before = [getattr(row, name) for name in _WRITTEN]
        if _take(row, listed, began):
            touched.add(listed.external_id)
        row.read_at = now
        if held is None:
            new.append(row)
        else:
            differs = before != [getattr(row, name) for name in _WRITTEN]
            (changed if differs else same).append(row)
    Repository.objects.bulk_create(new, batch_size=BATCH)
    Repository.objects.bulk_update(changed, [*_WRITTEN, "read_at"], batch_size=BATCH)
    for batch in batches([row.pk for row in same]):
        Repository.objects.filter(pk__in=batch).update(read_at=now)
    _unflag([row.pk for row in changed + same if row.external_id in touched], began)
    if complete:
        _retire(absent.values(), now)
    tie(source)
    return touched


def tie(source: Source) -> None:
    """Ties the source's files to the repositories that they are in, by "<full name>/<path>"."""
    active = Repository.objects.filter(source=source, state=_ACTIVE)
    pks = dict(active.values_list("full_name", "pk"))
    files = SourceFile.objects.filter(source=source).values_list("pk", "location", "repository")
    loose = []
    for pk, location, tied in files:
        repository = pks.get("/".join(location.split("/", 2)[:2]))
        if repository and repository != tied:
            loose.append(SourceFile(pk=pk, repository_id=repository))
    SourceFile.objects.bulk_update(loose, ["repository"], batch_size=BATCH)


def _began(source: Source) -> datetime | None:
    """Since when the reading runs: what is flagged later, it may have passed already."""
    running = SyncRun.objects.filter(
        source=source, state=SyncRun.State.RUNNING, dry_run=False
    ).first()
    return running.started_at if running else None


def _take(row: Repository, listed: RemoteRepository, began: datetime) -> bool:
    """Writes what was listed into the row; whether it is new, has changed or was flagged."""
    was = (row.head_commit, row.descriptor, row.state)
    for name in _TEXTS:
        text = str(getattr(listed, name))
        setattr(row, name, storable(text, _LIMITS[name] or max(len(text), 1)))
    row.archived, row.descriptor = listed.archived, listed.descriptor
    row.has_descriptor = None if listed.descriptor is None else bool(listed.descriptor)
    row.state = _ACTIVE
    asked = row.flagged_at is not None and row.flagged_at <= began
    return row.pk is None or asked or was != (row.head_commit, row.descriptor, row.state)


def _unflag(touched: list[int], began: datetime) -> None:
    """Apart from the other columns: a webhook may flag at any moment, and that must stay."""
    for batch in batches(touched):
        rows = Repository.objects.filter(pk__in=batch)
        rows.filter(flagged_at__lte=began).update(flagged_at=None)
        rows.update(pull_requests_read_at=None)


def _retire(absent: Collection[Repository], now: datetime) -> None:
    """Those that no complete list has held for long enough, with their pull requests."""
    due = [
        row.pk
        for row in absent
        if row.state == _ACTIVE and (row.read_at is None or row.read_at <= now - grace())
    ]
    for batch in batches(due):
        PullRequest.objects.filter(repository__in=batch).delete()
        Repository.objects.filter(pk__in=batch).update(state=_GONE, flagged_at=None)


# --- Pull requests ---------------------------------------------------------------------------
def read_pull_requests(
    source: Source,
    reader: RepositoryReader,
    touched: Collection[str],
    now: datetime,
    alive: Callable[[], None] = lambda: None,
) -> int:
    """Reads the open pull requests of what has changed and of what was not read for an hour.

    At most a fifth of what the host still allows; the rest comes with the next readings. `alive`
    is called between two requests. Gives how many repositories were read.
    """
    due = Repository.objects.filter(source=source, state=_ACTIVE, archived=False).filter(
        Q(pull_requests_read_at=None)
        | Q(pull_requests_read_at__lte=now - PULL_REQUESTS_AGE)
        | Q(external_id__in=list(touched)[:BATCH])
    )
    oldest = F("pull_requests_read_at").asc(nulls_first=True)
    done = 0
    for row in due.order_by(oldest, F("has_descriptor").desc(nulls_last=True), "pk")[
        : _budget(reader)
    ]:
        alive()
        try:
            found = reader.pull_requests(_remote(row))
        except HostStops:
            break
        except ReadError:
            # What is known stays; it is asked again when its turn comes.
            Repository.objects.filter(pk=row.pk).update(pull_requests_read_at=now)
            continue
        _replace(row, found, now)
        done += 1
    return done


def _budget(reader: RepositoryReader) -> int:
    remaining = reader.usage.remaining
    return UNTOLD if remaining is None else min(remaining // SHARE, MOST)


def _remote(row: Repository) -> RemoteRepository:
    return RemoteRepository(
        row.external_id,
        row.full_name,
        row.url,
        default_branch=row.default_branch,
        head_commit=row.head_commit,
    )


def _replace(row: Repository, found: list[RemotePullRequest], now: datetime) -> None:
    """The open ones take the place of all that were known."""
    rows = [_pull_request(row, told) for told in {told.number: told for told in found}.values()]
    with transaction.atomic():
        if not Repository.objects.select_for_update().filter(pk=row.pk).exists():
            return  # its source was deleted meanwhile
        PullRequest.objects.filter(repository=row).delete()
        PullRequest.objects.bulk_create(rows, batch_size=BATCH)
        Repository.objects.filter(pk=row.pk).update(pull_requests_read_at=now)


def _pull_request(row: Repository, told: RemotePullRequest) -> PullRequest:
    return PullRequest(
        repository=row,
        number=told.number,
        title=storable(told.title, 300),
        author=storable(told.author, 200),
        url=storable(told.url, 500),
        source_branch=storable(told.source_branch, 255),
        target_branch=storable(told.target_branch, 255),
        draft=told.draft,
        updated_at=told.updated_at,
    )
