"""The rules that hold for every entity, whatever its kind: envelope, metadata, formats.

The patterns are those of Backstage's catalog-model 1.10 (validation/*ValidatorFunctions), matched
as a whole and in ASCII, so that neither a trailing newline nor a look-alike letter slips through.
"""

import re
from collections.abc import Callable
from typing import Any

import ada_url

from catalog.rules.shapes import (
    Path,
    Report,
    any_text,
    clip,
    list_of,
    mapping,
    quoted,
    shown,
    text,
    what,
)

ROOT_FIELDS = ("apiVersion", "kind", "metadata", "spec")

_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_TAG = re.compile(r"[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*")
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*")
_VERSION = re.compile(r"[a-z0-9A-Z]+")
# What JavaScript's trim() takes away; Python's strip() differs.
_BLANK = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*")

NAME_FORM = "1 to 63 of A-Z, a-z, 0-9, and - _ . between them"
LABEL_FORM = "1 to 63 of a-z, 0-9, and - between them (lower case)"


def _fits(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: len(value) <= 63 and pattern.fullmatch(value) is not None


is_label, is_name, is_tag, is_kind, is_version = map(_fits, (_LABEL, _NAME, _TAG, _KIND, _VERSION))


def is_subdomain(value: str) -> bool:
    """Lower-case DNS labels joined by dots, 253 characters in all."""
    return len(value) <= 253 and all(is_label(part) for part in value.split("."))


def _prefixed(value: str, suffix: Callable[[str], bool]) -> bool:
    prefix, slash, rest = value.partition("/")
    return is_subdomain(prefix) and suffix(rest) if slash else suffix(value)


def is_key(value: str) -> bool:
    """A key of labels and annotations: `name` or `prefix.example/name`."""
    return _prefixed(value, is_name)


def check_envelope(document: dict[str, Any], report: Report) -> None:
    """What an entity needs before anything else can be said about it."""
    for name in ("apiVersion", "kind", "metadata"):
        if name not in document:
            report((), f"{name} is missing; an entity has apiVersion, kind and metadata.")
    for name in ("apiVersion", "kind"):
        if name in document:
            text(document[name], (name,), report)
    if "metadata" not in document:
        return
    metadata = document["metadata"]
    mapping({"name": text, "namespace": text}, required=("name",))(metadata, ("metadata",), report)
    if isinstance(metadata, dict):
        annotations = metadata.get("annotations")
        # Backstage repairs what is empty (null, "", 0, false) and refuses the rest with the file.
        if (annotations and not isinstance(annotations, dict)) or annotations == []:
            path = ("metadata", "annotations")
            report(path, f"{shown(path)} must be a mapping, but it is {what(annotations)}.")


_META = mapping(
    {
        "uid": text,
        "etag": text,
        "title": text,
        "description": any_text,
        "labels": mapping(others=any_text),
        "annotations": mapping(others=any_text),
        "tags": list_of(text),
        "links": list_of(
            mapping({"url": text, "title": text, "icon": text, "type": text}, required=("url",))
        ),
    }
)


def check_policy(document: dict[str, Any], report: Report) -> None:
    """Shapes and formats of the metadata, and that nothing else stands at the root."""
    for name in document:
        if name not in ROOT_FIELDS:
            known = ", ".join(ROOT_FIELDS)
            report((name,), f"{quoted(name)} has no place here; an entity has {known}.")
    if "spec" in document:
        mapping()(document["spec"], ("spec",), report)
    metadata = document["metadata"]
    _META(metadata, ("metadata",), report)
    _check_identity(document, metadata, report)
    _check_keys(metadata, report)
    _check_tags(metadata.get("tags"), report)
    _check_links(metadata.get("links"), report)


def _check_identity(document: dict[str, Any], metadata: dict[str, Any], report: Report) -> None:
    if not _prefixed(document["apiVersion"], is_version):
        form = 'an optional lower-case prefix and "/", then letters and digits'
        message = f"apiVersion {quoted(document['apiVersion'])} is not valid; write {form}."
        report(("apiVersion",), message)
    if not is_kind(document["kind"]):
        form = "1 to 63 letters and digits, a letter first"
        report(("kind",), f"kind {quoted(document['kind'])} is not valid; write {form}.")
    if not is_name(metadata["name"]):
        path = ("metadata", "name")
        report(path, f"metadata.name {quoted(metadata['name'])} is not valid; write {NAME_FORM}.")
    namespace = metadata.get("namespace")
    if namespace is not None and not is_label(namespace):
        path = ("metadata", "namespace")
        report(path, f"metadata.namespace {quoted(namespace)} is not valid; write {LABEL_FORM}.")


def _check_keys(metadata: dict[str, Any], report: Report) -> None:
    for group in ("labels", "annotations"):
        entries = metadata.get(group)
        if not isinstance(entries, dict):
            continue
        for key, value in entries.items():
            path: Path = ("metadata", group, key)
            if not is_key(key):
                form = f"[prefix/]name, the prefix a lower-case domain, the name {NAME_FORM}"
                report(path, f"{quoted(key)} is not a valid key of {group}; write {form}.")
            if group == "labels" and isinstance(value, str) and value and not is_name(value):
                message = f"The value {quoted(value)} of label {clip(key)} is not valid; write "
                report(path, f"{message}{NAME_FORM}.")


def _check_tags(tags: Any, report: Report) -> None:
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, str) and tag and not is_tag(tag):
            form = "1 to 63 of a-z, 0-9, : + #, and single - between them (no dots, no capitals)"
            report(
                ("metadata", "tags", index), f"The tag {quoted(tag)} is not valid; write {form}."
            )


def _check_links(links: Any, report: Report) -> None:
    for index, link in enumerate(links if isinstance(links, list) else ()):
        if not isinstance(link, dict):
            continue
        path: Path = ("metadata", "links", index)
        url = link.get("url")
        # The very parser of Node.js, and so of Backstage.
        if isinstance(url, str) and url and not ada_url.check_url(url):
            form = "an absolute one such as https://example.com/page"
            report((*path, "url"), f'The link "{clip(url)}" is not a URL; write {form}.')
        for name in ("title", "icon"):
            value = link.get(name)
            if isinstance(value, str) and value and _BLANK.fullmatch(value):
                report((*path, name), f"{shown((*path, name))} is blank; fill or remove it.")
