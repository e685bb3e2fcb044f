"""YAML or JSON as a tree that knows its lines, made of parser events in bounded work. Pure.

PyYAML's own composer calls itself for every level, and a hostile definition of a few kilobytes
would end the process. Aliases are shared, never copied.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_CHARACTERS = 1_500_000
MAX_NODES = 200_000
MAX_DEPTH = 100


class Unreadable(Exception):
    """The text is no such tree; the message is the rest of a sentence."""


@dataclass
class Node:
    """A scalar (`text`), a list (`items`) or a mapping (`pairs`); `line` counts from 1."""

    line: int
    text: str | None = None
    items: list["Node"] = field(default_factory=list)
    pairs: dict[str, "Node"] = field(default_factory=dict)
    # {key: the line that it stands on}
    lines: dict[str, int] = field(default_factory=dict)

    def get(self, *path: str) -> "Node":
        """What stands under these keys; an empty node where nothing does."""
        node = self
        for key in path:
            node = node.pairs.get(key) or Node(node.line)
        return node

    def words(self, *path: str) -> str:
        """The scalar under these keys, or empty."""
        return self.get(*path).text or ""


def read_tree(text: str) -> Node:
    """The first document. Raises Unreadable."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("is too large to be taken apart")
    try:
        return _Builder().build(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Unreadable(f"is neither valid YAML nor valid JSON{where}") from None
    except (ValueError, RecursionError):
        raise Unreadable("holds characters that YAML does not allow") from None


class _Builder:
    def __init__(self) -> None:
        self._open: list[Node] = []
        self._kinds: list[str] = []  # "list", or "key" and "value" in turns
        self._keys: list[tuple[str, int]] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._root: Node | None = None

    def build(self, text: str) -> Node:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        for event in yaml.parse(text, Loader=loader):
            self._take(event)
            if self._root is not None and not self._open:
                return self._root
        raise Unreadable("is empty")

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(Node(event.start_mark.line + 1, event.value), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            self._add(self._anchors.get(event.anchor) or Node(line), None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind = "key" if isinstance(event, yaml.MappingStartEvent) else "list"
            self._begin(Node(event.start_mark.line + 1), event.anchor, kind)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._kinds.pop()
            self._keys.pop()

    def _begin(self, node: Node, anchor: str | None, kind: str) -> None:
        self._add(node, anchor)
        self._open.append(node)
        self._kinds.append(kind)
        self._keys.append(("", 0))
        if len(self._open) > MAX_DEPTH:
            raise Unreadable(f"is nested more than {MAX_DEPTH} levels deep")

    def _add(self, node: Node, anchor: str | None) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise Unreadable("holds too many values to be taken apart")
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._root = self._root or node
        elif self._kinds[-1] == "list":
            self._open[-1].items.append(node)
        elif self._kinds[-1] == "key":
            # A key that is itself a list or a mapping is named by nothing.
            self._keys[-1] = (node.text or "", node.line)
            self._kinds[-1] = "value"
        else:
            key, line = self._keys[-1]
            self._open[-1].pairs[key] = node
            self._open[-1].lines[key] = line
            self._kinds[-1] = "key"
