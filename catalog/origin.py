"""Where an entity comes from: source, file at the host, and the Locations that led there."""

import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urljoin

from catalog.links import safe_url
from catalog.models import Entity

SHOWN_NEIGHBOURS = 8
# Locations of one source that are looked through, and how far up they are followed.
LOCATIONS = 500
ANCESTORS = 10


@dataclass(frozen=True)
class Origin:
    """The answer to "where does this come from"."""

    url: str  # the file's page at its host, at the entity's line
    edit_url: str
    commit: str
    # Of the same file, at most SHOWN_NEIGHBOURS; `more` says that there are others.
    neighbours: tuple[Entity, ...]
    more: bool
    # Locations, the one that names the entity's file first.
    ancestry: tuple[Entity, ...]


def origin_of(entity: Entity) -> Origin:
    """Two queries, however many entities the source holds."""
    file = entity.file
    # By the file's own row: a source may hold a hundred thousand entities.
    same = Entity.objects.filter(file=file) if file else Entity.objects.none()
    light = same.exclude(pk=entity.pk).only("ref", "kind", "name", "title")
    found = list(light.order_by("document_index", "ref")[: SHOWN_NEIGHBOURS + 1])
    return Origin(
        url=line_url(file.url, entity.line) if file else "",
        edit_url=safe_url(file.edit_url) if file else "",
        commit=file.commit if file else "",
        neighbours=tuple(found[:SHOWN_NEIGHBOURS]),
        more=len(found) > SHOWN_NEIGHBOURS,
        ancestry=tuple(_ancestry(entity)),
    )


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


def _ancestry(entity: Entity) -> list[Entity]:
    if entity.source_id is None:
        return []
    locations = list(
        # By a stretch of the refs' own index: the source alone may have all entities there are.
        Entity.objects.filter(ref__gte="location:", ref__lt="location;", source=entity.source_id)
        .exclude(pk=entity.pk)
        .only("ref", "kind", "name", "title", "location", "document")[:LOCATIONS]
    )
    chain: list[Entity] = []
    place = entity.location
    while len(chain) < ANCESTORS:
        left = [other for other in locations if other not in chain and names(other, place)]
        if not left:
            break
        chain.append(left[0])
        place = left[0].location
    return chain


def names(location: Entity, place: str) -> bool:
    """Whether one of the Location's targets is this file, as far as its text alone can say."""
    spec: Any = location.spec
    if not isinstance(spec, dict):
        return False
    targets = spec.get("targets")
    every = [spec.get("target"), *(targets if isinstance(targets, list) else [])]
    written = [target for target in every if isinstance(target, str) and target]
    return any(_is(place, _absolute(location.location, target)) for target in written)


def _absolute(base: str, target: str) -> str:
    if "://" in base or "://" in target:
        return urljoin(base, target)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), target))


def _is(place: str, target: str) -> bool:
    if "*" not in target:
        return place == target
    return fnmatchcase(place, target.replace("**", "*").replace("[", "[[]"))
