"""Reads the documentation of a source's entities after each reading of its descriptors.

Best effort, outside the transaction: what can't be read keeps its old pages and says so; what
certainly isn't there goes. Work is in proportion to what changed: a page whose file is the same is
not read, and at a host a repository whose commit is the same is not asked.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Length

from catalog.descriptors import ReadError
from catalog.docs.layout import (
    MAX_PAGES,
    TECHDOCS_REF,
    BadDocs,
    Part,
    parts_of,
    prefix_of,
)
from catalog.docs.titles import title_of
from catalog.issues import DOCS_STAGE, mark
from catalog.models import DocPage, Entity, Source, SyncIssue
from catalog.relations import batches
from catalog.sources.base import Gone, HostStops, NotThere, Place, Reader, RepositoryReader
from portal.text import storable

logger = logging.getLogger(__name__)

MAX_PAGE_BYTES = 500_000
MAX_ENTITY_BYTES = 5_000_000
MAX_RUN_BYTES = 100_000_000
MAX_PROBLEMS = 200
# Whoever has no docs is looked at when it changes, and otherwise in one reading of so many: most
# have none, and at a host each look is a request. A prime, so that no interval always meets one.
TURNS = 13
# At a host this share of its limit is left to the descriptors.
RESERVE = 4


@dataclass(frozen=True)
class Page:
    """A page as it is now at its source; `text` is None where it is that of the row `known`."""

    part: Part
    place: Place
    title: str
    digest: str
    text: str | None = None
    known: DocPage | None = None

    @property
    def size(self) -> int:
        return len(self.text) if self.text is not None else getattr(self.known, "size", 0)

    def words(self) -> str:
        """The text, from the database where it is there already."""
        if self.text is not None or self.known is None:
            return self.text or ""
        return str(DocPage.objects.values_list("text", flat=True).get(pk=self.known.pk))


@dataclass
class Folder:
    """The entities whose documentation lies in one place."""

    base: str
    prefix: str
    entities: list[Entity] = field(default_factory=list)
    touched: bool = False
    has_docs: bool = False


class Stop(Exception):
    """No more may be read in this run; the text is a sentence, or empty."""


def read_docs(source: Source, reader: Reader, touched: Iterable[int], now: datetime) -> None:
    """Brings the pages of the source's entities in line. `touched`: what the reading changed."""
    if source.kind == Source.Kind.BACKSTAGE:
        return  # it tells of entities, not of files
    _Run(source, reader, set(touched), now).all()


class _Run:
    """One look at a source's documentation."""

    def __init__(self, source: Source, reader: Reader, touched: set[int], now: datetime) -> None:
        self._source, self._reader, self._touched, self._now = source, reader, touched, now
        self._host = isinstance(reader, RepositoryReader)
        self._bytes = 0
        self._issues: list[SyncIssue] = []
        self._looked: list[str] = []

    def all(self) -> None:
        for folder in self._folders():
            try:
                self._one(folder)
            except Stop as stop:
                if str(stop):
                    self._complain(folder, str(stop), known=False)
                break
        self._save_issues()

    # --- Which entities --------------------------------------------------------------------------
    def _folders(self) -> Iterator[Folder]:
        for batch in self._batches():
            found: dict[tuple[str, str], Folder] = {}
            bare: list[int] = []
            for entity in batch:
                self._looked.append(entity.ref)
                try:
                    prefix = _prefix(entity)
                except BadDocs as bad:
                    self._complain(Folder(entity.location, "", [entity]), str(bad))
                    continue
                if prefix is None:
                    bare += [entity.pk] if entity.has_docs else []
                    continue
                key = (_folder(entity.location), prefix)
                folder = found.setdefault(key, Folder(entity.location, prefix))
                folder.entities.append(entity)
                folder.touched |= entity.pk in self._touched
                folder.has_docs |= entity.has_docs
            DocPage.objects.filter(entity__in=bare).delete()
            yield from found.values()

    def _batches(self) -> Iterator[list[Any]]:
        """Those that may have changed or have pages, and a share of the others; by folder."""
        turn = int(self._now.timestamp()) // 60 % TURNS
        mine = Entity.objects.filter(source=self._source, state=Entity.State.ACTIVE)
        has_docs = Exists(DocPage.objects.filter(entity=OuterRef("pk")))
        due = mine.alias(turn=F("pk") % TURNS).filter(Q(has_docs) | Q(turn=turn))
        places = dict(due.values_list("pk", "location"))
        for pks in batches(sorted(self._touched)):
            places.update(mine.filter(pk__in=pks).values_list("pk", "location"))
        ordered = sorted(places, key=lambda pk: (_folder(places[pk]), pk))
        annotations = KeyTransform("annotations", KeyTransform("metadata", "document"))
        rows = mine.select_related("file").annotate(
            has_docs=has_docs, techdocs_ref=KeyTextTransform(TECHDOCS_REF, annotations)
        )
        light = rows.only("ref", "kind", "location", "file__misses")
        for pks in batches(ordered):
            batch = sorted(light.filter(pk__in=pks), key=lambda entity: entity.pk)
            shared = _shared({entity.file_id for entity in batch})
            for entity in batch:
                entity.has_siblings = entity.file_id in shared
            yield batch

    # --- One folder ------------------------------------------------------------------------------
    def _one(self, folder: Folder) -> None:
        known = _known(folder)
        place = self._reader.place(folder.base)
        if self._host and not place.repository:
            return  # not looked at in this reading
        complete = {page.entity_id for page in known} == {e.pk for e in folder.entities}
        same = place.commit and all(page.commit == place.commit for page in known)
        if not folder.touched and complete and same:
            return
        self._spare()
        try:
            pages = self._pages(folder, {page.location: page for page in known})
        except HostStops:
            raise Stop from None  # the reading itself said so, or the next one will
        except (BadDocs, ReadError) as error:
            self._complain(folder, str(error))
            return
        for entity in folder.entities:
            _save(entity, pages, [page for page in known if page.entity_id == entity.pk], self._now)

    def _spare(self) -> None:
        usage = self._reader.usage
        if usage.limit and usage.remaining is not None and usage.remaining * RESERVE < usage.limit:
            raise Stop
        if self._bytes > MAX_RUN_BYTES:
            raise Stop("The documentation is too large to be read at once; the rest comes later.")

    def _pages(self, folder: Folder, known: dict[str, DocPage]) -> list[Page]:
        searchable = bool(folder.prefix) and self._source.kind != Source.Kind.URL
        prefix = folder.prefix or "./"
        parts = parts_of(self._reader, folder.base, prefix, searchable=searchable)
        if len(parts) > MAX_PAGES:
            self._complain(folder, f"It has {len(parts):,} pages; {MAX_PAGES} are read.")
        pages: list[Page] = []
        size = 0
        for part in parts[:MAX_PAGES]:
            page = self._page(folder, part, known.get(part.location))
            if page is None:
                continue
            size += page.size
            if size > MAX_ENTITY_BYTES:
                limit = f"{MAX_ENTITY_BYTES:,} bytes"
                self._complain(folder, f"Its pages are larger than {limit}; the rest is left out.")
                break
            pages.append(page)
        return pages

    def _page(self, folder: Folder, part: Part, known: DocPage | None) -> Page | None:
        """The page; None: it certainly isn't there. A page that can't be read stays as it is."""
        place = self._reader.place(part.location)
        if known and place.version and known.version == place.version:
            return _kept(part, place, known)
        data = self._data(folder, part)
        if data is None:
            return _kept(part, place, known) if known else None
        if not data.strip():
            return None
        self._bytes += len(data)
        if len(data) > MAX_PAGE_BYTES:
            self._complain(folder, f"{part.path} is larger than {MAX_PAGE_BYTES:,} bytes.")
            return None
        digest = hashlib.sha256(data).hexdigest()
        if known and known.digest == digest:
            return _kept(part, place, known)
        text = storable(data.decode("utf-8-sig", errors="replace"), MAX_PAGE_BYTES)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return Page(part, place, part.title or title_of(text, part.path), digest, text)

    def _data(self, folder: Folder, part: Part) -> bytes | None:
        """Its bytes; none at all: it certainly isn't there. None: nobody can say."""
        try:
            return self._reader.read(part.location)
        except HostStops:
            raise
        except NotThere:
            # Believed where the same credential has just been shown the descriptor beside it.
            missed = any(entity.file and entity.file.misses for entity in folder.entities)
            return None if missed else b""
        except Gone:
            return b""
        except ReadError as error:
            self._complain(folder, str(error))
            return None

    # --- Problems --------------------------------------------------------------------------------
    def _complain(self, folder: Folder, sentence: str, known: bool = True) -> None:
        for entity in folder.entities[:1] if known else [None]:
            self._issues.append(
                SyncIssue(
                    source=self._source,
                    entity_ref=entity.ref if entity else "",
                    severity=SyncIssue.Severity.WARNING,
                    stage=DOCS_STAGE,
                    location=storable(folder.base, 500),
                    message=storable(f"Documentation: {sentence}", 5_000),
                )
            )

    def _save_issues(self) -> None:
        looked = {*self._looked, ""}
        held = SyncIssue.objects.filter(source=self._source, stage=DOCS_STAGE)
        old = [(pk, ref) for pk, ref in held.values_list("pk", "entity_ref") if ref in looked]
        if not old and not self._issues:
            return
        with transaction.atomic():
            for pks in batches([pk for pk, _ in old]):
                SyncIssue.objects.filter(pk__in=pks).delete()
            SyncIssue.objects.bulk_create(self._issues[:MAX_PROBLEMS])
            mark({ref for _, ref in old} | {issue.entity_ref for issue in self._issues})


def _shared(files: set[int | None]) -> set[int]:
    """Which of these files describe several components; asked by file alone, for with the state
    SQLite would rather look at all that is active than at a file's few."""
    rows = Entity.objects.filter(file__in=files - {None}).order_by()
    active = Q(kind="Component", state=Entity.State.ACTIVE)
    counts = rows.values_list("file_id").annotate(count=Count("pk", filter=active))
    return {file for file, count in counts if count > 1}


def _folder(location: str) -> str:
    return location.rpartition("/")[0]


def _prefix(entity: Any) -> str | None:
    """Where its documentation is looked for; None: it has none."""
    if entity.techdocs_ref and entity.techdocs_ref.strip():
        return prefix_of(entity.techdocs_ref)
    # A README beside the descriptor is about the one component that the descriptor describes.
    return "" if entity.kind == "Component" and not entity.has_siblings else None


def _known(folder: Folder) -> list[DocPage]:
    if not folder.has_docs:
        return []
    pages = DocPage.objects.filter(entity__in=folder.entities).annotate(size=Length("text"))
    return list(pages.defer("text"))


def _kept(part: Part, place: Place, known: DocPage) -> Page:
    return Page(part, place, part.title or known.title, known.digest, known=known)


# What stands around a page's text, and changes with every commit.
_AROUND = ["title", "location", "url", "edit_url", "commit", "version", "position"]


def _save(entity: Entity, pages: list[Page], known: list[DocPage], now: datetime) -> None:
    """Makes the entity's pages exactly these; a text that is the same keeps its age."""
    held = {page.path: page for page in known}
    written, moved = [], []
    for position, page in enumerate(pages):
        row, old = _row(entity, position, page, now), held.pop(page.part.path, None)
        if old is None or old.digest != row.digest:
            row.text = page.words()
            written.append(row)
        elif any(getattr(row, name) != getattr(old, name) for name in _AROUND):
            row.pk = old.pk
            moved.append(row)
    if not (written or moved or held):
        return
    try:
        with transaction.atomic():
            DocPage.objects.filter(pk__in=[page.pk for page in held.values()]).delete()
            DocPage.objects.bulk_update(moved, _AROUND)
            DocPage.objects.bulk_create(
                written,
                update_conflicts=True,
                unique_fields=["entity", "path"],
                update_fields=[*_AROUND, "text", "digest", "read_at"],
            )
    except IntegrityError:
        logger.info("docs of %s not saved: it is gone", entity.ref)


def _row(entity: Entity, position: int, page: Page, now: datetime) -> DocPage:
    return DocPage(
        entity=entity,
        path=page.part.path,
        title=storable(page.title, 200),
        digest=page.digest,
        location=storable(page.part.location, 500),
        url=page.place.url if len(page.place.url) <= 1000 else "",
        edit_url=page.place.edit_url if len(page.place.edit_url) <= 1000 else "",
        commit=page.place.commit[:64],
        version=page.place.version[:200],
        position=position,
        read_at=now,
    )
