"""Cursors: where a page begins and what was asked, in one opaque text.

As Backstage's they are not signed: whoever forges one asks a question that they may ask anyway.
Each part is read as if a stranger had written it.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from catalog.api.filters import FilterError
from catalog.api.ordering import MAX_FIELDS, Order, read_order

MAX_LENGTH = 80_000  # of the longest question, which is in it


@dataclass(frozen=True)
class Search:
    """What by-query is asked, without where the page begins. `filters` are as they came."""

    filters: tuple[str, ...] = ()
    query: str = ""  # a predicate as JSON text, empty for none
    orders: tuple[Order, ...] = ()
    term: str = ""
    term_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """Behind which entity the page begins, in which direction it is read."""

    values: tuple[str, ...]
    ref: str
    backwards: bool = False


def write(search: Search, start: Start) -> str:
    value = {
        "filters": search.filters,
        "query": search.query,
        "orders": [[order.field, order.descending] for order in search.orders],
        "term": search.term,
        "fields": search.term_fields,
        "values": start.values,
        "ref": start.ref,
        "backwards": start.backwards,
    }
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(text: str) -> tuple[Search, Start]:
    """Raises FilterError for what write() did not write."""
    try:
        if len(text) > MAX_LENGTH:
            raise ValueError("too long")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return _read(json.loads(data))
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise FilterError("This cursor is none of Stagedoor's; begin again without one.") from error


def _read(value: dict[str, Any]) -> tuple[Search, Start]:
    orders = tuple(
        read_order(field, "desc" if descending else "asc") for field, descending in value["orders"]
    )
    values = _texts(value["values"])
    ref, backwards = _text(value["ref"]), value["backwards"]
    if type(backwards) is not bool:
        raise TypeError("not a direction")
    if len(values) != len(orders) or len(orders) > MAX_FIELDS:
        raise ValueError("values and orders differ")
    search = Search(
        _texts(value["filters"]),
        _text(value["query"]),
        orders,
        _text(value["term"]),
        _texts(value["fields"]),
    )
    return search, Start(values, ref, backwards)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(_text(item) for item in value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise TypeError("not a text")
    value.encode()  # a lone surrogate is no text that a database takes
    return value
