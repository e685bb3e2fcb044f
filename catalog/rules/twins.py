"""Finds keys that differ only by case: Backstage never shows an entity that has such twins.

Its search index is keyed by lower-cased paths, and two keys that fall together there make the last
step of processing fail, unseen (catalog-backend 4.0, buildEntitySearch).
"""

from typing import Any

from catalog.rules.shapes import Path, Report, clip

# Backstage indexes these itself instead of finding them in the document.
_SPECIAL = ("metadata.name", "metadata.namespace", "metadata.uid")
_SKIPPED = frozenset({*_SPECIAL, "metadata.etag"})
# Annotations that Backstage adds to every entity it reads from a URL.
_ADDED = tuple(
    f"metadata.annotations.backstage.io/{name}"
    for name in (
        "managed-by-location",
        "managed-by-origin-location",
        "view-url",
        "edit-url",
        "source-location",
    )
)


def case_twins(document: dict[str, Any], report: Report) -> None:
    """Reports each key that equals another but for upper and lower case."""
    found: list[tuple[str, Path]] = []
    _collect(document, "", (), found, set())
    spelling = {key.lower(): key for key in (*_SPECIAL, *_ADDED)}
    for key, path in found:
        other = spelling.setdefault(key.lower(), key)
        if other != key:
            pair = f'"{clip(key)}" and "{clip(other)}"'
            report(path, f"{pair} differ only by upper and lower case; rename one.")


def _collect(
    value: Any, key: str, path: Path, found: list[tuple[str, Path]], items: set[str]
) -> None:
    """The flattened keys of the index, e.g. `metadata.tags.java`, each with its place."""
    if key in _SKIPPED:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            _collect(item, f"{key}.{name}" if key else name, (*path, name), found, items)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, key, (*path, index), found, items)
            if isinstance(item, str) and (own := f"{key}.{item}").lower() not in items:
                items.add(own.lower())
                found.append((own, (*path, index)))
    else:
        found.append((key, path))
