"""A SCIM filter as a query: `eq`, `and` and `or` over what clients look people up by."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q
from scim2_models import InvalidFilterException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from portal.text import storable

# An attribute in lower case -> what it is compared with.
Columns = Mapping[str, Callable[[Any], Q]]
NOTHING = Q(pk__in=[])


def query_of(node: FilterNode, columns: Columns) -> Q:
    """Raises InvalidFilterException, in words, for what is not looked up here."""
    if isinstance(node, LogicalExpr):
        both = and_ if node.op == LogicalOperator.and_ else or_
        return reduce(both, (query_of(term, columns) for term in node.terms))
    name = _name(node)
    if name not in columns:
        known = ", ".join(columns)
        raise InvalidFilterException(detail=f"Only these can be filtered by, with eq: {known}.")
    value = node.value  # type: ignore[attr-defined]
    if isinstance(value, str) and storable(value, len(value)) != value:
        raise InvalidFilterException(detail="The filter holds characters that no text here has.")
    return columns[name](value)


def same_id(value: Any) -> Q:
    """An id as this service gave it out; any other text finds nothing."""
    return Q(pk__in=numbers([str(value)]))


def numbers(ids: Iterable[str]) -> list[int]:
    """Those that can be ids here."""
    return [int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 19]


def _name(node: FilterNode) -> str:
    if not isinstance(node, Comparison) or node.op != CompareOperator.eq:
        return ""
    path = node.attr_path
    return f"{path.attr}.{path.sub_attr}".lower() if path.sub_attr else path.attr.lower()
