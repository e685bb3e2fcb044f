"""Which Markdown files are an entity's documentation, and in which order they are read.

MkDocs decides it for Backstage: `docs/` beside mkdocs.yml, in the order of its `nav`. Its plugins,
themes and macros are not run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from catalog.sources.base import Gone, Reader
from catalog.yaml12 import YamlError, load

TECHDOCS_REF = "backstage.io/techdocs-ref"
TECHDOCS_ENTITY = "backstage.io/techdocs-entity"
SITE_FILES = ("mkdocs.yml", "mkdocs.yaml")
README = "README.md"
DOCS = "docs"
MAX_PAGES = 200
MAX_SITE_BYTES = 200_000
MAX_STEPS = 5_000  # of a nav, which may name itself through anchors
MAX_PATH = 300


class BadDocs(Exception):
    """What the annotation or mkdocs.yml says can't be followed; a sentence for its author."""


@dataclass(frozen=True)
class Site:
    """What we take from mkdocs.yml; `nav` is (path, title), the title empty where none is given."""

    docs_dir: str = DOCS
    nav: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Part:
    """A page that is to be read; `path` is what it is called here."""

    path: str
    location: str
    title: str = ""


def prefix_of(annotation: str) -> str:
    """What stands before the names of the files, to be resolved like a Location's target."""
    scheme, colon, rest = annotation.strip().partition(":")
    if scheme == "dir" and colon and rest.strip():
        folder = normpath(rest.strip())
        if folder.startswith(("/", "..")) or "*" in folder or "\\" in folder:
            raise BadDocs(
                f'{TECHDOCS_REF}: "{annotation}" has to name a folder at or below the descriptor.'
            )
        return "./" if folder == "." else f"./{folder}/"
    if scheme == "url" and rest.startswith(("http://", "https://")):
        return rest.split("?")[0].split("#")[0].rstrip("/") + "/"
    raise BadDocs(
        f'{TECHDOCS_REF}: "{annotation}" is neither dir:<folder> nor url:<address in the same '
        'repository>. For docs beside the descriptor write "dir:.".'
    )


def parts_of(reader: Reader, base: str, prefix: str, *, searchable: bool) -> list[Part]:
    """The pages that lie under `prefix`, as seen from the descriptor at `base`, in reading order.

    Empty: certainly none. Raises ReadError or BadDocs when nobody can say.
    `searchable`: the reader understands wild cards.
    """
    if not searchable:
        return _readme(reader, base, prefix)
    site = _site(reader, base, prefix)
    folder = f"{prefix}{site.docs_dir}/"
    try:
        found = reader.targets(base, f"{folder}**/*.md")
    except Gone:
        found = []
    root = _only(reader, base, f"{folder}index.md").removesuffix("index.md")
    pages = {place.removeprefix(root): place for place in found if place.startswith(root)}
    ordered = _ordered({path: pages[path] for path in pages if len(path) <= MAX_PATH}, site.nav)
    if site.nav or README in pages:
        return ordered
    readme = _readme(reader, base, prefix)
    # The landing page, unless there is one made for it.
    return [*ordered, *readme] if ordered and ordered[0].path == "index.md" else readme + ordered


def _readme(reader: Reader, base: str, prefix: str) -> list[Part]:
    return [Part(README, _only(reader, base, prefix + README))]


def _only(reader: Reader, base: str, target: str) -> str:
    return reader.targets(base, target)[0]


def _ordered(pages: dict[str, str], nav: Sequence[tuple[str, str]]) -> list[Part]:
    """Those of the nav as it says; without one index.md first, a folder's files before its own."""
    if nav:
        named = [Part(path, pages[path], title) for path, title in nav if path in pages]
        if named:
            return named

    def place(path: str) -> tuple[bool, list[tuple[bool, str]]]:
        *folders, name = path.lower().split("/")
        steps = [(True, folder) for folder in folders] + [(False, name)]
        if name in {"index.md", "readme.md"}:
            steps[-1] = (False, "")
        return path != "index.md", steps

    return [Part(path, pages[path]) for path in sorted(pages, key=place)]


def _site(reader: Reader, base: str, prefix: str) -> Site:
    for name in SITE_FILES:
        try:
            data = reader.read(_only(reader, base, prefix + name))
        except Gone:
            continue
        return parse_site(data, name)
    return Site()


def parse_site(data: bytes, name: str = SITE_FILES[0]) -> Site:
    """mkdocs.yml; tags for its plugins' Python objects are not our business."""
    if len(data) > MAX_SITE_BYTES:
        raise BadDocs(f"{name} is larger than {MAX_SITE_BYTES:,} bytes.")
    try:
        document = next(load(data), None)
    except YamlError as error:
        raise BadDocs(f"{name}: {error}") from None
    if document is None or (document.value is None and document.error is None):
        return Site()
    if document.error is not None or document.cycle or not isinstance(document.value, dict):
        said = str(document.error) if document.error else "it is no mapping."
        raise BadDocs(f"{name} can't be used: {said}")
    folder = document.value.get("docs_dir", DOCS)
    docs_dir = normpath(folder) if isinstance(folder, str) and folder else DOCS
    if docs_dir.startswith(("/", "..")) or docs_dir == "." or "*" in docs_dir:
        raise BadDocs(f'{name}: docs_dir "{folder}" has to be a folder below {name}.')
    nav: dict[str, str] = {}
    for path, title in _nav(document.value.get("nav")):
        nav.setdefault(path, title)
    return Site(docs_dir, tuple(nav.items()))


def _nav(value: Any) -> Iterator[tuple[str, str]]:
    """(path, title) of each page that it names, in order; sections are walked, links left out."""
    waiting: list[tuple[Any, str]] = [(value, "")]
    for _ in range(MAX_STEPS):
        if not waiting:
            return
        item, title = waiting.pop()
        if isinstance(item, str) and "://" not in item and item.endswith(".md"):
            yield normpath(item), title
        elif isinstance(item, list):
            waiting.extend((entry, "") for entry in reversed(item))
        elif isinstance(item, dict):
            waiting.extend((entry, str(key)) for key, entry in reversed(list(item.items())))
