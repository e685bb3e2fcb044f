"""What a caller asks for, as a tree of conditions: Backstage's filters and predicates. Pure.

Keys and values are compared in lower case, as they stand in an entity's terms (catalog/terms.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.terms import MAX_VALUE

# More than any client of Backstage's sends; a tree deeper or wider is a mistake or an attack.
MAX_CONDITIONS = 200
MAX_DEPTH = 12
# No index answers a prefix, so that each counts as this many conditions.
PREFIX_COUNTS = 10


class FilterError(ValueError):
    """The filter can't be read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Has:
    """The entity has `key`, with one of `values`; None: with any value."""

    key: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class HasPrefix:
    """A value of `key` begins so."""

    key: str
    prefix: str


@dataclass(frozen=True)
class Every:
    """All of them hold; none at all is true."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Some:
    """One of them holds; none at all is false."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Non:
    """It does not hold."""

    part: "Condition"


Condition = Has | HasPrefix | Every | Some | Non
ANYTHING = Every(())


def read_filters(texts: Sequence[str]) -> Condition:
    """`filter` parameters: alternatives of comma-joined `key=value` and `key`."""
    alternatives = [found for found in map(_alternative, texts) if found.parts]
    if sum(_weight(part) for one in alternatives for part in one.parts) > MAX_CONDITIONS:
        raise FilterError(f"A filter can have {MAX_CONDITIONS} conditions at most.")
    if not alternatives:
        return ANYTHING
    return alternatives[0] if len(alternatives) == 1 else Some(tuple(alternatives))


def _weight(part: Condition) -> int:
    return max(1, len(part.values or ())) if isinstance(part, Has) else 1


def _alternative(text: str) -> Every:
    found: dict[str, list[str] | None] = {}
    for statement in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in statement.partition("="))
        if not key:
            raise FilterError(f'"{statement[:80]}" is no filter; write key=value, key= or key.')
        key = _text(key)
        values = found.setdefault(key, None)
        if equals:
            found[key] = [*(values or ()), _text(value)]
    return Every(tuple(Has(key, None if v is None else tuple(v)) for key, v in found.items()))


def _text(value: str) -> str:
    if "\x00" in value:
        raise FilterError("A filter can't hold a NUL character.")
    return value.lower()


# --- Predicates ------------------------------------------------------------------------------
def read_predicate(value: Any) -> Condition:
    """The `query` of a body: $all, $any, $not, and per key a value, $exists, $in, $contains or
    $hasPrefix."""
    return _Predicates().read(value, 0)


class _Predicates:
    """Reads one tree and counts what it holds."""

    def __init__(self) -> None:
        self.left = MAX_CONDITIONS

    def read(self, value: Any, depth: int) -> Condition:
        if not isinstance(value, dict):
            raise FilterError("A query must be an object, or a list of objects in $all and $any.")
        if depth > MAX_DEPTH:
            raise FilterError(f"A query can be {MAX_DEPTH} levels deep at most.")
        for name, kind in (("$all", Every), ("$any", Some)):
            if name in value:
                self._alone(value, name)
                if not isinstance(value[name], list):
                    raise FilterError(f"{name} needs a list.")
                # Also what asks nothing costs something.
                self._count(len(value[name]))
                return kind(tuple(self.read(part, depth + 1) for part in value[name]))
        if "$not" in value:
            self._alone(value, "$not")
            self._count(1)
            return Non(self.read(value["$not"], depth + 1))
        return Every(tuple(self._of_key(key, wanted) for key, wanted in value.items()))

    def _of_key(self, key: str, wanted: Any) -> Condition:
        self._count(1)
        if key.startswith("$"):
            raise FilterError(f'"{key[:80]}" is not understood here.')
        key = _text(key)
        if not isinstance(wanted, dict):
            return Has(key, (_primitive(wanted),))
        if len(wanted) != 1:
            raise FilterError(f'The matcher of "{key[:80]}" needs exactly one operator.')
        ((operator, operand),) = wanted.items()
        return self._matched(key, operator, operand)

    def _matched(self, key: str, operator: str, operand: Any) -> Condition:
        match operator, operand:
            case "$exists", bool():
                return Has(key) if operand else Non(Has(key))
            case "$in", list():
                self._count(len(operand))
                return Has(key, tuple(_primitive(item) for item in operand))
            case "$hasPrefix", str():
                self._count(PREFIX_COUNTS - 1)
                return HasPrefix(key, _text(operand))
            case "$contains", dict() if key == "relations":
                found = _relation(operand)
                self._count(len(found.values or ()))
                return found
            case "$contains", str() | bool() | int() | float():
                return Has(key, (_primitive(operand),))
        raise FilterError(
            f'"{key[:60]}": {str(operator)[:20]} is not understood with such a value; there are '
            "$exists (true or false), $in (a list), $contains (a value) and $hasPrefix (a text)."
        )

    def _count(self, more: int) -> None:
        self.left -= more
        if self.left < 0:
            raise FilterError(f"A query can have {MAX_CONDITIONS} conditions at most.")

    def _alone(self, value: dict[str, Any], name: str) -> None:
        if len(value) != 1:
            raise FilterError(f"{name} must stand alone in its object.")


def _relation(operand: dict[str, Any]) -> Has:
    """{"relations": {"$contains": {"type": …, "targetRef": …}}}."""
    kind, target = operand.get("type"), operand.get("targetRef")
    if not isinstance(kind, str) or not set(operand) <= {"type", "targetRef"}:
        raise FilterError("$contains on relations needs a type, and may have a targetRef.")
    if isinstance(target, dict) and set(target) == {"$in"} and isinstance(target["$in"], list):
        targets: tuple[str, ...] | None = tuple(_primitive(item) for item in target["$in"])
    else:
        targets = None if target is None else (_primitive(target),)
    return Has(f"relations.{_text(kind)}", targets)


def _primitive(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int() | float():
            return str(value)
    raise FilterError("A value must be a text, a number, true or false.")


def conditions(condition: Condition) -> list[Has | HasPrefix]:
    """Every condition on a key, wherever it stands in the tree."""
    match condition:
        case Every(parts) | Some(parts):
            return [found for part in parts for found in conditions(part)]
        case Non(part):
            return conditions(part)
    return [condition]


def searchable(value: str) -> bool:
    """Longer values are not indexed, so nothing equals them; as in Backstage."""
    return len(value) <= MAX_VALUE
