"""In which order entities come, and where in it a page begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Lower, NullIf

from catalog.api.fields import too_long
from catalog.api.filters import FilterError
from catalog.api.terms_lookup import HasTerm
from catalog.models import Entity

MAX_FIELDS = 5
# Columns that always hold something, and those that are empty where the field is missing.
FULL = {
    "kind": Lower("kind"),
    "metadata.name": Lower("name"),
    "metadata.namespace": F("namespace"),
    "metadata.uid": Cast("uid", CharField()),
}
SPARSE = {
    "metadata.title": "title",
    "metadata.description": "description",
    "spec.type": "type",
    "spec.lifecycle": "lifecycle",
}
# Whose next part is one key, dots and all.
OPEN = ("metadata.annotations.", "metadata.labels.")


@dataclass(frozen=True)
class Order:
    """One field, as Backstage's clients name it."""

    field: str
    descending: bool = False


def read_order(field: Any, direction: Any) -> Order:
    """Raises FilterError."""
    if not isinstance(field, str) or not field or too_long(field) or "\x00" in field:
        raise FilterError("An order needs a field, for example metadata.name,asc.")
    if direction not in ("asc", "desc"):
        raise FilterError(f'The order of "{field[:80]}" must be asc or desc.')
    return Order(field, direction == "desc")


def expression(field: str) -> Combinable:
    """What is compared: lower case, as Backstage's index is; null where the field is missing."""
    known = FULL.get(field.lower())
    if known is not None:
        return known
    if field.lower() in SPARSE:
        return NullIf(Lower(SPARSE[field.lower()]), Value(""))
    return Lower(Cast(KT("__".join(["document", *_path(field)])), TextField()))


def _path(field: str) -> list[str]:
    """Keys with a double underscore can't be told from lookups; no such field is known."""
    for prefix in OPEN:
        if field.lower().startswith(prefix):
            return ["metadata", prefix.split(".")[1], field[len(prefix) :]]
    return field.split(".")


def ordered(found: QuerySet[Entity], orders: Sequence[Order], backwards: bool = False) -> QuerySet:
    """Annotated with o0, o1 … and sorted by them, then by ref, so that no two stand alike."""
    names = {f"o{place}": expression(order.field) for place, order in enumerate(orders)}
    columns = []
    for name, order in zip(names, orders, strict=True):
        last = None if order.field.lower() in FULL else True
        down = order.descending != backwards
        columns.append(F(name).desc(nulls_last=last) if down else F(name).asc(nulls_last=last))
    return found.annotate(**names).order_by(*columns, "-ref" if backwards else "ref")


def beyond(orders: Sequence[Order], values: Sequence[str], ref: str, backwards: bool) -> Q:
    """What comes behind the entity that has these values in `ordered(…)`."""
    found, equal = Q(), Q()
    for place, (order, value) in enumerate(zip(orders, values, strict=True)):
        operator = "lt" if order.descending != backwards else "gt"
        found |= equal & Q(**{f"o{place}__{operator}": value})
        if place == 0:
            # Says no more than the rest, but an index understands it.
            bound = Q(**{f"o0__{operator}e": value})
        equal &= Q(**{f"o{place}": value})
    found |= equal & (Q(ref__lt=ref) if backwards else Q(ref__gt=ref))
    return found & bound if orders else found


def having(found: QuerySet[Entity], orders: Sequence[Order]) -> QuerySet[Entity]:
    """Without the entities that lack a field they are ordered by; as Backstage since 3.7."""
    for order in orders:
        if order.field.lower() in SPARSE:
            found = found.exclude(**{SPARSE[order.field.lower()]: ""})
        elif order.field.lower() not in FULL:
            found = found.filter(HasTerm(order.field.lower())).annotate(
                present=expression(order.field)
            )
            found = found.filter(present__isnull=False)
    return found
