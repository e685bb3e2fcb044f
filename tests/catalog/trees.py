"""Folders of descriptors on the disk, and sources that read them."""

from pathlib import Path

import yaml

from catalog import runs, sync
from catalog.models import Entity, Source, SyncRun


def document(kind: str, name: str, metadata: dict | None = None, **spec: object) -> dict:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **(metadata or {})},
        "spec": spec,
    }


def component(name: str, metadata: dict | None = None, **spec: object) -> dict:
    filled = {"type": "service", "lifecycle": "production", "owner": "payments", **spec}
    return document("Component", name, metadata, **filled)


def group(name: str, **spec: object) -> dict:
    return document("Group", name, **{"type": "team", "children": [], **spec})


def user(name: str, *groups: str) -> dict:
    return document("User", name, memberOf=list(groups))


def location(name: str, **spec: object) -> dict:
    return document("Location", name, **spec)


class Tree:
    """A folder below CATALOG_PATHS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, *documents: dict | str) -> Path:
        """Documents as mappings, or text as it is."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        texts = [d if isinstance(d, str) else yaml.safe_dump(d, sort_keys=False) for d in documents]
        place.write_text("---\n".join(texts), encoding="utf-8")
        return place

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def source(self, path: str = ".", slug: str = "org", **fields: object) -> Source:
        values = {"name": slug.title(), "kind": "path", "target": str(self.folder / path), **fields}
        return Source.objects.create(slug=slug, **values)


def read(source: Source) -> SyncRun:
    """Syncs the source now, as the command line does."""
    run = sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk)
    assert run is not None
    source.refresh_from_db()
    return run


def states() -> dict[str, str]:
    """{name: state} of every entity."""
    return dict(Entity.objects.values_list("name", "state"))


def problems(source: Source) -> list[str]:
    return list(source.issues.values_list("message", flat=True))
