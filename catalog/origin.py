"""Where an entity comes from: source, file at the host, and the Locations that led there."""

from dataclasses import dataclass
from itertools import takewhile

from catalog.links import safe_url
from catalog.models import Entity
from catalog.seen import Seen

SHOWN_NEIGHBOURS, SHOWN_OTHERS = 8, 200
# How far up Locations are followed.
ANCESTORS = 10
_SHOWN = ("ref", "kind", "name", "title")


@dataclass(frozen=True)
class Origin:
    """The answer to "where does this come from"."""

    url: str  # the file's page at its host, at the entity's line
    edit_url: str
    commit: str
    # Of the same file, at most SHOWN_NEIGHBOURS; the refs of others; how many more there are.
    neighbours: tuple[Entity, ...]
    others: tuple[str, ...]
    more: int
    # Locations, the one that names the entity's file first.
    ancestry: tuple[Entity, ...]


def origin_of(entity: Entity, seen: Seen) -> Origin:
    """Its neighbours with one query, or two for who does not see everything, and one for each
    Location that led there; of all only what may be seen."""
    file = entity.file
    # By the file's own row: a source may hold a hundred thousand entities.
    same = Entity.objects.filter(file=file) if file else Entity.objects.none()
    light = seen.among(same).exclude(pk=entity.pk).only(*_SHOWN)
    found = list(light.order_by("document_index", "ref")[:SHOWN_NEIGHBOURS])
    told = {entity.ref, *(other.ref for other in found)}
    # The file's own list is at hand, however long it is.
    listed = file.refs if file and seen.everything else []
    if not seen.everything and len(found) == SHOWN_NEIGHBOURS:
        listed = list(light.order_by("document_index", "ref").values_list("ref", flat=True))
    others = [ref for ref in listed if ref not in told]
    return Origin(
        url=line_url(file.url, entity.line) if file else "",
        edit_url=safe_url(file.edit_url) if file else "",
        commit=file.commit if file else "",
        neighbours=tuple(found),
        others=tuple(others[:SHOWN_OTHERS]),
        more=max(0, len(others) - SHOWN_OTHERS),
        ancestry=tuple(shown_ancestry(entity, seen)),
    )


def shown_ancestry(entity: Entity, seen: Seen) -> list[Entity]:
    """As ancestry_of(), up to the first that may not be seen: what led to that is not told."""
    above = ancestry_of(entity)
    shown = seen.shown(above)
    return list(takewhile(shown.__contains__, above))


def line_url(url: str, line: int | None) -> str:
    """The file's page at a line, where the host's addresses are known to have one for it."""
    safe = safe_url(url)
    if not safe or not line or "#" in safe:
        return safe
    if "/blob/" in safe:
        return f"{safe}#L{line}"
    if "/src/" in safe and "bitbucket.org/" in safe:
        return f"{safe}#lines-{line}"
    return f"{safe}#{line}" if "/browse/" in safe else safe


def ancestry_of(entity: Entity) -> list[Entity]:
    """The Locations that led to the entity's file, the nearest first; one query for each."""
    chain: list[Entity] = []
    file = entity.file
    while file and file.named_by and len(chain) < ANCESTORS:
        # Of its own source: the name may be another's by now.
        named = Entity.objects.filter(ref=file.named_by, source=file.source_id)
        location = (
            named.select_related("file").only(*_SHOWN, "file__named_by", "file__source").first()
        )
        if location is None or location in chain:
            break
        chain.append(location)
        file = location.file
    return chain
