"""Jenkins' remote API rendering: `tree=`, `depth=`, and `_class` on every object.

The rules are Stapler's: a tree names what is wanted (unknown names fall away silently, ranges are
`{M,N}`, `{M,}`, `{,N}` and `{N}`); without a tree an object that is merely referred to shows only
what it exports with a higher visibility, here its `brief` fields, unless `depth` reaches it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class BadTree(Exception):
    """The tree argument can't be read."""


@dataclass
class Exported:
    """An object: its class, its fields (values, or functions giving them when asked for).

    `brief`: what is shown where another object refers to it; None shows all.
    """

    cls: str
    fields: Mapping[str, Any | Callable[[], Any]]
    brief: tuple[str, ...] | None = None


@dataclass
class Node:
    """One level of a parsed tree."""

    names: dict[str, "Node"] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None

    def cut(self, values: list[Any]) -> list[Any]:
        return values[self.first : self.last]


_TOKEN = re.compile(r"\s*([A-Za-z_][\w$]*|[\[\],]|\{\s*\d*\s*(?:,\s*\d*\s*)?\})")


def parse_tree(text: str) -> Node:
    """`jobs[name,builds[number]{0,25}]` as nodes. Raises BadTree."""
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadTree(f"Can't read the tree at {text[at : at + 20]!r}.")
        tokens.append(match.group(1))
        at = match.end()
    root = Node()
    rest = _level(tokens, root)
    if rest:
        raise BadTree("The tree has one closing bracket too many.")
    return root


def _level(tokens: list[str], node: Node) -> list[str]:
    while tokens and tokens[0] != "]":
        name, tokens = tokens[0], tokens[1:]
        if name == ",":
            continue
        if not re.match(r"[A-Za-z_]", name):
            raise BadTree(f"A field name is missing before {name!r}.")
        child = node.names.setdefault(name, Node())
        if tokens and tokens[0] == "[":
            tokens = _level(tokens[1:], child)
            if not tokens:
                raise BadTree("A closing bracket is missing in the tree.")
            tokens = tokens[1:]
        if tokens and tokens[0].startswith("{"):
            _range(tokens[0], child)
            tokens = tokens[1:]
    return tokens


def _range(text: str, node: Node) -> None:
    low, comma, high = text.strip("{} ").partition(",")
    low, high = low.strip(), high.strip()
    node.first = int(low) if low else 0
    if comma:
        node.last = int(high) if high else None
    else:
        node.last = node.first + 1


def render(value: Any, *, tree: str = "", depth: int = 0) -> Any:
    """The JSON types of an exported object. Raises BadTree."""
    if tree:
        return _by_tree(value, parse_tree(tree))
    return _by_depth(value, depth, top=True)


def _value(raw: Any) -> Any:
    return raw() if callable(raw) else raw


def _by_tree(value: Any, node: Node) -> Any:
    if isinstance(value, Exported):
        wanted = [name for name in node.names if name in value.fields]
        picked = {name: _by_tree(_value(value.fields[name]), node.names[name]) for name in wanted}
        return {"_class": value.cls} | picked
    if isinstance(value, list):
        return [_by_tree(item, Node(node.names)) for item in node.cut(value)]
    if isinstance(value, dict):
        return {
            name: _by_tree(value[name], sub) for name, sub in node.names.items() if name in value
        }
    return value


def _by_depth(value: Any, depth: int, *, top: bool = False) -> Any:
    if isinstance(value, Exported):
        names = value.fields if top or depth >= 0 or value.brief is None else value.brief
        below = depth - 1 if value.brief is not None or top else depth
        return {"_class": value.cls} | {
            name: _by_depth(_value(value.fields[name]), below) for name in names
        }
    if isinstance(value, list):
        return [_by_depth(item, depth) for item in value]
    if isinstance(value, dict):
        return {name: _by_depth(item, depth) for name, item in value.items()}
    return value


def as_python(value: Any) -> str:
    """The flavour `api/python`: Python literals, strings as in JSON."""
    if isinstance(value, dict):
        inside = ",".join(f"{json.dumps(name)}:{as_python(item)}" for name, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{','.join(as_python(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
