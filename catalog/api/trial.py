"""What stands at an address that is no source yet: read for real, applied to nothing."""

from collections.abc import Iterator
from typing import Any

from catalog.analyse import Analysis, NotUsable, analyse
from catalog.locations import read_source
from catalog.models import Entity
from catalog.sources import SourceFailed, SourceSpec, reader_for
from catalog.sources.git_process import hurried
from portal.api_errors import ApiError

MAX_ENTITIES = 1_000
BATCH = 50
DRAFT_API = "backstage.io/v1alpha1"


def analysed(sent: dict[str, Any]) -> Analysis:
    """The `{type, target}` that a body names. Raises ApiError 400."""
    kind, target = sent.get("type", "url"), sent.get("target")
    if kind != "url" or not isinstance(target, str):
        raise ApiError(400, "A location has the type url and a target: the address as a string.")
    try:
        return analyse(target)
    except NotUsable as error:
        raise ApiError(400, str(error)) from error


def entities_at(spec: SourceSpec) -> list[dict[str, Any]]:
    """The documents there, each with the file that it stands in. Raises ApiError 400."""
    try:
        return [document for _, _, document in _read(spec)]
    except SourceFailed as failed:
        raise ApiError(400, str(failed)) from failed


def described_at(spec: SourceSpec) -> list[dict[str, Any]]:
    """As Backstage's analysis lists them; [] where nothing is described."""
    try:
        found = list(_read(spec))
    except SourceFailed:
        return []
    refs = [ref for ref, _, _ in found]
    known = set(Entity.objects.filter(ref__in=refs).values_list("ref", flat=True))
    return [
        {
            "location": {"type": "url", "target": url},
            "isRegistered": ref in known,
            "entity": document,
        }
        for ref, url, document in found
    ]


def draft(found: Analysis) -> dict[str, Any]:
    """A component for a repository without a descriptor, and what its author has to say."""
    name = found.name.rpartition("/")[2] or "unknown"
    entity = {
        "apiVersion": DRAFT_API,
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
    fields = [
        {"field": "metadata.name", "state": "analysisSuggestedValue", "value": name},
        {"field": "spec.type", "state": "needsUserInput", "value": "other"},
        {"field": "spec.lifecycle", "state": "needsUserInput", "value": "unknown"},
        {"field": "spec.owner", "state": "needsUserInput", "value": None},
    ]
    return {"entity": entity, "fields": [{"description": "", **field} for field in fields]}


def _read(spec: SourceSpec) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(ref, its file's address, document), the first MAX_ENTITIES. Raises SourceFailed."""
    with hurried():
        reading = read_source(reader_for(spec))
    if reading.failure:
        raise SourceFailed(reading.failure)
    for batch in reading.batches(reading.valid[:MAX_ENTITIES], BATCH):
        for found in batch:
            descriptor = found.result.descriptor
            if descriptor is None:
                continue
            place = reading.places.get(found.location)
            url = (place.url if place else "") or found.location
            metadata = descriptor.document["metadata"]
            named = {**(metadata.get("annotations") or {})}
            named["backstage.io/managed-by-location"] = f"url:{url}"
            named["backstage.io/managed-by-origin-location"] = f"url:{spec.target}"
            document = {**descriptor.document, "metadata": {**metadata, "annotations": named}}
            yield descriptor.ref, url, document
