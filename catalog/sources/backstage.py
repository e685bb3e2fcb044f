"""Reads what a running Backstage's catalog holds, for trying Stagedoor beside it.

Backstage gives entities, not files. They are put together again by the file that each says it is
from, so that what stood in one file here stands in one file too. What Backstage added by itself is
taken off; what it says of the place becomes the place.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from catalog.sources.base import (
    MAX_FILE_BYTES,
    Gone,
    Listing,
    Option,
    Place,
    SourceFailed,
    SourceSpec,
    Usage,
)
from portal.credentials import Secret
from portal.http import HttpClient, HttpError, NotJson, Response, origin

OPTIONS: tuple[Option, ...] = (
    Option(
        "filter",
        "Filter",
        "Backstage's own, for example kind=component. One a line; entities that fit one are read.",
        shape="list",
    ),
)
API = "/api/catalog"
PAGE = 200
MAX_PAGE_BYTES = 60_000_000
MAX_ENTITIES = 200_000
MAX_LOCATION = 500
# So that a group with its separators stays below MAX_FILE_BYTES.
MAX_GROUP_BYTES = MAX_FILE_BYTES - 100_000
FIELDS = "apiVersion,kind,metadata,spec"
_MANAGED = "backstage.io/managed-by-location"
_VIEW, _EDIT = "backstage.io/view-url", "backstage.io/edit-url"
# Set by Backstage on every entity; what an author wrote there would have been overwritten.
_ADDED = frozenset(
    {_MANAGED, _VIEW, _EDIT, "backstage.io/managed-by-origin-location", "backstage.io/orphan"}
)


class BackstageReader:
    """Locations are the files that the entities came from, as Backstage names them."""

    type = "url"

    def __init__(self, spec: SourceSpec, client: HttpClient, credential: Secret | None) -> None:
        """The target is the address of Backstage's pages or of its API. Raises SourceFailed."""
        try:
            parts = urlsplit(spec.target)
            usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
        except ValueError:
            usable = False
        if not usable or "@" in parts.netloc:
            raise SourceFailed(
                "The target is not a complete http:// or https:// URL without a user name."
            )
        base = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self._api = base.partition(API)[0] + API
        self._filters = _words(spec.options.get("filter"))
        self._client = client
        self._headers = {"Accept": "application/json"}
        if credential is not None:
            self._headers["Authorization"] = f"Bearer {credential.reveal()}"
        self.usage = Usage()
        self._groups: dict[str, list[tuple[str, bytes]]] = {}  # location: (ref, document)
        self._places: dict[str, Place] = {}

    def roots(self) -> Listing:
        self._groups, self._places = {}, {}
        listing, seen = Listing(), set[str]()
        for entity in self._entities(listing):
            ref = _ref(entity)
            if ref in seen or _generated(entity):
                continue
            seen.add(ref)
            self._keep(ref, entity)
        if not seen:
            raise SourceFailed("This Backstage's catalog is empty, or hides all of it from us.")
        listing.locations = list(self._groups)
        return listing

    def targets(self, base: str, target: str) -> list[str]:
        """None to follow: what a Location names in Backstage, Backstage has read already."""
        return []

    def read(self, location: str) -> bytes:
        if location not in self._groups:
            raise Gone(f"Backstage no longer has anything from {location}.")
        documents = [document for _, document in sorted(self._groups[location])]
        return b"\n---\n".join(documents) + b"\n"

    def place(self, location: str) -> Place:
        return self._places.get(location, Place())

    # --- Asking ------------------------------------------------------------------------------
    def _entities(self, listing: Listing) -> Iterator[dict[str, Any]]:
        """Every entity, page by page. Raises SourceFailed when a page can't be had."""
        start: list[tuple[str, str]] = [("limit", str(PAGE)), ("fields", FIELDS)]
        answer = self._get("/entities/by-query", [*start, *self._conditions()])
        if answer.status == 404:  # Backstage before 1.17
            yield from self._by_offset(start)
            return
        found, cursors = 0, set[str]()
        while True:
            page = self._json(answer)
            items = page.get("items") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise SourceFailed(f"{origin(self._api)} answered something that is no catalog.")
            found += len(items)
            yield from _usable(items)
            cursor = (page.get("pageInfo") or {}).get("nextCursor")
            if not cursor:
                # Some may have gone from page to page while they were read: no proof of absence.
                listing.complete = found >= int(page.get("totalItems") or 0)
                return
            if cursor in cursors or found > MAX_ENTITIES:
                raise SourceFailed(f"{origin(self._api)} gives pages without end.")
            cursors.add(cursor)
            answer = self._get("/entities/by-query", [*start, ("cursor", cursor)])

    def _by_offset(self, start: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        for offset in range(0, MAX_ENTITIES, PAGE):
            page = [*start, ("offset", str(offset)), *self._conditions()]
            items = self._json(self._get("/entities", page))
            if not isinstance(items, list):
                raise SourceFailed(f"{origin(self._api)} answered something that is no catalog.")
            yield from _usable(items)
            if len(items) < PAGE:
                return
        raise SourceFailed(f"{origin(self._api)} gives pages without end.")

    def _conditions(self) -> list[tuple[str, str]]:
        return [("filter", condition) for condition in self._filters]

    def _get(self, path: str, params: list[tuple[str, str]]) -> Response:
        self.usage.requests += 1
        try:
            return self._client.request(
                "GET",
                self._api + path,
                headers=self._headers,
                params=params,
                max_bytes=MAX_PAGE_BYTES,
            )
        except HttpError as error:
            raise SourceFailed(str(error)) from None

    def _json(self, answer: Response) -> Any:
        host = origin(self._api)
        if answer.status in {401, 403}:
            raise SourceFailed(
                f"{host} refused access ({answer.status}). The source's credential has to be a "
                "token that Backstage takes (backend.auth.externalAccess)."
            )
        if answer.status == 404:
            raise SourceFailed(f"{host} has no catalog at {API} (404). Is it Backstage's backend?")
        if answer.status != 200:
            raise SourceFailed(f"{host} answered {answer.status} in the middle of the catalog.")
        try:
            return answer.json()
        except NotJson as error:
            raise SourceFailed(f"{error} Name the address of Backstage's backend.") from None

    # --- Putting together --------------------------------------------------------------------
    def _keep(self, ref: str, entity: dict[str, Any]) -> None:
        annotations = _mapping(_mapping(entity.get("metadata")).get("annotations"))
        named = str(annotations.get(_MANAGED) or f"{self._api}/entities")
        location = _fit(named.removeprefix("url:"))
        document = _document(entity)
        part, place = location, 1
        while _size(self._groups.get(part, [])) + len(document) > MAX_GROUP_BYTES:
            if part not in self._groups:
                break  # alone too large: reading it says so
            place += 1
            part = f"{location} ({place})"
        self._groups.setdefault(part, []).append((ref, document))
        if part not in self._places:
            self._places[part] = Place(
                url=_web(annotations.get(_VIEW)) or _web(location),
                edit_url=_web(annotations.get(_EDIT)),
            )


def _usable(items: list[Any]) -> Iterator[dict[str, Any]]:
    for item in items:
        if not isinstance(item, dict) or not _ref(item):
            raise SourceFailed("Backstage answered an entity without kind or name.")
        yield item


def _ref(entity: Mapping[str, Any]) -> str:
    metadata = _mapping(entity.get("metadata"))
    kind, name = entity.get("kind"), metadata.get("name")
    if not isinstance(kind, str) or not isinstance(name, str) or not kind or not name:
        return ""
    return f"{kind}:{metadata.get('namespace') or 'default'}/{name}".lower()


def _generated(entity: Mapping[str, Any]) -> bool:
    """A Location that Backstage made of a registered URL: it stands in no file."""
    name = str(_mapping(entity.get("metadata")).get("name") or "")
    return entity.get("kind") == "Location" and name.startswith("generated-")


def _document(entity: Mapping[str, Any]) -> bytes:
    """The descriptor as its author may have written it, as JSON, which is YAML too."""
    metadata = {
        key: value
        for key, value in _mapping(entity.get("metadata")).items()
        if key not in {"uid", "etag", "generation"}
    }
    annotations = _mapping(metadata.pop("annotations", None))
    own = {key: value for key, value in annotations.items() if key not in _ADDED}
    if own:
        metadata["annotations"] = own
    document = {"apiVersion": entity.get("apiVersion"), "kind": entity["kind"]}
    document["metadata"] = metadata
    if "spec" in entity:
        spec = entity["spec"]
        if entity["kind"] == "Location" and isinstance(spec, dict):
            # Its targets are not followed from here, so how to follow them doesn't matter.
            spec = {key: value for key, value in spec.items() if key != "type"}
        document["spec"] = spec
    return json.dumps(document, ensure_ascii=False, sort_keys=True).encode(errors="replace")


def _size(group: list[tuple[str, bytes]]) -> int:
    return sum(len(document) + 5 for _, document in group)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: object) -> list[str]:
    words = value.splitlines() if isinstance(value, str) else list(value or ())  # type: ignore[call-overload]
    return [str(word).strip() for word in words if str(word).strip()]


def _fit(location: str) -> str:
    if len(location) <= MAX_LOCATION - 10:
        return location
    digest = hashlib.sha256(location.encode(errors="replace")).hexdigest()[:16]
    return f"{location[: MAX_LOCATION - 40]}…{digest}"


def _web(url: object) -> str:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""
