"""An API's definition, made readable: its text, an outline with lines, its operations. Pure.

Definitions are other people's text of up to some megabytes. What can't be understood is shown as
it is written, with one sentence that says why.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.openapi import Operation, operations_of, version_of
from catalog.spec_tree import Node, Unreadable, read_tree
from catalog.yaml_text import yaml_text

# A page shows so much of it; the download has all.
SHOWN_CHARACTERS = 300_000
SHOWN_LINES = 4_000
MAX_ITEMS = 300
MAX_LABEL = 120

LANGUAGES = {"graphql": "graphql", "grpc": "protobuf", "trpc": "typescript"}
EXTENSIONS = {
    "yaml": "yaml",
    "json": "json",
    "graphql": "graphql",
    "protobuf": "proto",
    "typescript": "ts",
}
NAMES = {"graphql": "GraphQL", "grpc": "gRPC", "trpc": "tRPC", "asyncapi": "AsyncAPI"}


@dataclass(frozen=True)
class Item:
    """One entry of the outline: what it is called, and the line that it stands on."""

    label: str
    line: int


@dataclass(frozen=True)
class Group:
    """Entries of one sort; `hidden` is how many more there are."""

    title: str
    items: tuple[Item, ...]
    hidden: int = 0


@dataclass(frozen=True)
class Definition:
    """`shown` is what fits on a page of `text`; `sentence` says what could not be understood."""

    text: str
    shown: str
    language: str
    label: str
    outline: tuple[Group, ...]
    operations: tuple[Operation, ...]
    sentence: str = ""

    @property
    def is_cut(self) -> bool:
        return len(self.shown) < len(self.text)

    @property
    def extension(self) -> str:
        return EXTENSIONS.get(self.language, "txt")


def read_definition(value: object, kind: str) -> Definition:
    """`value` is spec.definition: text, or what a $json or $yaml placeholder made of a file."""
    text, kind = text_of(value), kind.lower()
    shown = _cut(text)
    language = LANGUAGES.get(kind) or _yaml_or_json(text, kind)
    label, operations, sentence = NAMES.get(kind, kind), list[Operation](), ""
    entries: Iterable[tuple[str, str, int]] = ()
    if kind in _SECTIONS:
        try:
            root = read_tree(text)
            label = _version(root, kind)
            operations = operations_of(root) if kind == "openapi" else []
            entries = list(_tree_entries(root, kind))
            sentence = "" if entries else "It describes nothing that Stagedoor understands."
        except Unreadable as error:
            sentence = f"This definition {error}; it is shown as it is written."
    elif kind == "graphql":
        entries = _graphql_entries(shown)
    elif kind == "grpc":
        entries = _proto_entries(shown)
    outline = tuple(_groups(entries, shown.count("\n") + 1))
    return Definition(text, shown, language, label, outline, tuple(operations), sentence)


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return yaml_text(value) if value else ""


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS and text.count("\n") <= SHOWN_LINES:
        return text
    kept = text[:SHOWN_CHARACTERS].split("\n")[:SHOWN_LINES]
    return "\n".join(kept)


def _yaml_or_json(text: str, kind: str) -> str:
    if kind not in {"openapi", "asyncapi"}:
        return ""
    return "json" if text.lstrip()[:1] in {"{", "["} else "yaml"


def _version(root: Node, kind: str) -> str:
    if kind == "asyncapi":
        return f"AsyncAPI {root.words('asyncapi')[:20]}".strip()
    return version_of(root) or "OpenAPI"


def _groups(entries: Iterable[tuple[str, str, int]], lines: int) -> Iterator[Group]:
    """In the order in which they first appear, of what stands on the lines that are shown."""
    found: dict[str, list[Item]] = {}
    for title, label, line in entries:
        found.setdefault(title, []).append(Item(label[:MAX_LABEL], line))
    for title, items in found.items():
        shown = [item for item in items[:MAX_ITEMS] if item.line <= lines]
        yield Group(title, tuple(shown), len(items) - len(shown))


# --- OpenAPI and AsyncAPI --------------------------------------------------------------------
_SECTIONS = {
    "openapi": (
        ("Paths", ("paths",)),
        ("Webhooks", ("webhooks",)),
        ("Schemas", ("components", "schemas")),
        ("Definitions", ("definitions",)),
        ("Security", ("components", "securitySchemes")),
        ("Security", ("securityDefinitions",)),
    ),
    "asyncapi": (
        ("Servers", ("servers",)),
        ("Channels", ("channels",)),
        ("Operations", ("operations",)),
        ("Messages", ("components", "messages")),
        ("Schemas", ("components", "schemas")),
    ),
}


def _tree_entries(root: Node, kind: str) -> Iterator[tuple[str, str, int]]:
    for title, path in _SECTIONS[kind]:
        section = root.get(*path)
        for key in section.pairs:
            yield title, key, section.lines[key]


# --- GraphQL and protobuf --------------------------------------------------------------------
_GRAPHQL_TYPE = re.compile(
    r"(?:extend )?(type|interface|input|enum|union|scalar|directive) @?([A-Za-z_]\w{0,99})"
)
_GRAPHQL_FIELD = re.compile(r"([A-Za-z_]\w{0,99})[ ]?[(:]")
_ROOTS = {"Query": "Queries", "Mutation": "Mutations", "Subscription": "Subscriptions"}
_GRAPHQL_TITLES = {
    "type": "Types",
    "interface": "Interfaces",
    "input": "Inputs",
    "enum": "Enums",
    "union": "Unions",
    "scalar": "Scalars",
    "directive": "Directives",
}
_PROTO = re.compile(r"(service|message|enum|rpc) ([A-Za-z_]\w{0,99})")
_PROTO_TITLES = {"service": "Services", "message": "Messages", "enum": "Enums"}


def _graphql_entries(text: str) -> Iterator[tuple[str, str, int]]:
    """Types, and the fields of Query, Mutation and Subscription."""
    root, depth, round_depth = "", 0, 0
    for number, line in _code_lines(text, '"""'):
        words = " ".join(line[:500].split())
        if depth == 0 and (found := _GRAPHQL_TYPE.match(words)):
            kind, name = found.groups()
            root = _ROOTS.get(name, "")
            if not root:
                yield _GRAPHQL_TITLES[kind], name, number
        elif depth == 1 and root and round_depth == 0 and (field := _GRAPHQL_FIELD.match(words)):
            yield root, field[1], number
        depth = max(0, depth + line.count("{") - line.count("}"))
        round_depth = max(0, round_depth + line.count("(") - line.count(")"))


def _proto_entries(text: str) -> Iterator[tuple[str, str, int]]:
    """Services with their methods, messages and enums."""
    service = ""
    for number, line in _code_lines(text, "/*"):
        found = _PROTO.match(" ".join(line[:500].split()))
        if not found:
            continue
        kind, name = found.groups()
        if kind == "service":
            service = name
        title = f"Methods of {service}" if kind == "rpc" else _PROTO_TITLES[kind]
        yield title, name, number


def _code_lines(text: str, quote: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and block strings, numbered from 1."""
    end = "*/" if quote == "/*" else quote
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        code, left = "", line
        while left:
            before, mark, left = left.partition(end if inside else quote)
            code += "" if inside else before
            inside = inside != bool(mark)
        comment = "//" if quote == "/*" else "#"
        yield number, code.partition(comment)[0]
