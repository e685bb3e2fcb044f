"""Resolves `$text`, `$json` and `$yaml`, and makes plain JSON data of a document while at it.

A placeholder is a mapping with exactly one key; beside other keys, or of an unknown name, it is
left as it stands (Backstage's PlaceholderProcessor).
"""

import json
import math
from collections.abc import Callable
from typing import Any

from catalog import yaml12
from catalog.rules.shapes import Path, Report, clip

Read = Callable[[str], bytes]
Resolver = Callable[[str], Any]

# Of one document, aliases written out and placeholders read: characters, plus one per value.
MAX_SIZE = 20_000_000


class ReadError(Exception):
    """A file that a descriptor names could not be read; the text is a sentence for its author."""


class _TooLarge(Exception):
    pass


class Placeholders:
    """The placeholders of one document.

    `report` is told of placeholders that can't be resolved, `unfit` of everything that can't be
    stored; both with the path of the place.
    """

    def __init__(self, read: Read | None, report: Report, unfit: Report) -> None:
        self.read = read
        self.report = report
        self.unfit = unfit
        self.size = 0

    def resolve(self, root: dict[str, Any]) -> dict[str, Any]:
        """A copy of plain dicts, lists and scalars; empty when the problems leave nothing."""
        try:
            plain = self._copy(root, ())
        except _TooLarge:
            message = f"The document is larger than {MAX_SIZE:,} characters with its aliases and "
            self.unfit((), message + "placeholders written out; make it smaller.")
            return {}
        return plain if isinstance(plain, dict) else {}

    def _copy(self, value: Any, path: Path) -> Any:
        self.size += 1
        if isinstance(value, str):
            self._text(value, path)
            return value
        if isinstance(value, dict):
            if any(key.startswith("$") for key in value):
                return self._placeholder(value, path)
            return self._mapping(value, path)
        if isinstance(value, list):
            return [self._copy(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, float) and not math.isfinite(value):
            return None  # as JSON.stringify writes them
        return value

    def _mapping(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        copy = {}
        for key, item in value.items():
            self._text(key, (*path, key))
            copy[key] = self._copy(item, (*path, key))
        return copy

    def _text(self, value: str, path: Path) -> None:
        self.size += len(value)
        if self.size > MAX_SIZE:
            raise _TooLarge
        if not value.isprintable():
            if "\0" in value:
                self.unfit(path, "The character U+0000 can't be stored; remove it.")
            elif any("\ud800" <= character <= "\udfff" for character in value):
                self.unfit(path, "Half of a surrogate pair (\\ud800 to \\udfff); write the whole.")

    def _placeholder(self, value: dict[str, Any], path: Path) -> Any:
        [key, *others] = value
        resolver = _RESOLVERS.get(key)
        # Backstage adds annotations of its own before it looks, so there are siblings always.
        if others or not resolver or path == ("metadata", "annotations"):
            return self._literal(value, path)
        place = (*path, key)
        argument = value[key]
        if not isinstance(argument, str):
            self.report(place, f"{key} takes a relative path or a URL, as a text.")
        elif self.read is None:
            self.report(place, f"{key}: files beside this one can't be read here.")
        else:
            return self._resolved(resolver, self.read, argument, place)
        return None

    def _resolved(self, resolver: Resolver, read: Read, argument: str, place: Path) -> Any:
        try:
            text = read(argument).decode(errors="replace")
            return self._literal(resolver(text), place)
        except ReadError as error:
            self.report(place, f'{place[-1]} could not read "{clip(argument)}": {error}')
        except (ValueError, RecursionError) as error:
            self.report(place, f'{place[-1]} could not understand "{clip(argument)}": {error}')
        return None

    def _literal(self, value: Any, path: Path, depth: int = 0) -> Any:
        """A copy in which nothing is resolved: what was read, or stands beside other keys."""
        if depth > yaml12.MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {yaml12.MAX_DEPTH} levels")
        if isinstance(value, dict):
            for key in value:
                self._text(key, path)
            return {key: self._literal(item, path, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._literal(item, path, depth + 1) for item in value]
        return self._copy(value, path)


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_not_json)


def _not_json(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _yaml(text: str) -> Any:
    try:
        documents = list(yaml12.load(text.encode()))
    except yaml12.YamlError as error:
        raise ValueError(error.message) from None
    if len(documents) != 1:
        raise ValueError(f"exactly one document is wanted, it has {len(documents)}")
    if failed := documents[0].error:
        raise ValueError(f"line {failed.line}, column {failed.column}: {failed.message}")
    if documents[0].cycle:
        raise ValueError("an alias stands inside its own anchor")
    return documents[0].value


_RESOLVERS: dict[str, Resolver] = {
    "$text": lambda text: text,
    "$json": _json,
    "$yaml": _yaml,
}
