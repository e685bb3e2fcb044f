"""From a tree of conditions to SQL: by an indexed column where there is one, else by terms."""

import uuid
from collections.abc import Callable, Iterable
from functools import reduce
from operator import and_, or_

from django.db.models import BooleanField, F, Func, Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, In

from catalog.api.filters import Condition, Every, Has, HasPrefix, Non, Some, conditions, searchable
from catalog.api.kept import all_spellings, spellings
from catalog.api.terms_lookup import HasTerm, HasTermLike, like
from catalog.models import Entity, Relation, Tag
from catalog.relations import INVERSE
from catalog.rules.kinds import KINDS

KINDS_AS_WRITTEN = {kind.lower(): kind for kind in KINDS}
RELATIONS_AS_WRITTEN = {kind.lower(): kind for kind in INVERSE}
NOTHING = Q(pk__in=())
ALL = ~NOTHING
# Columns that hold what the descriptor says, as written: few values, so that those which differ
# only by case can be listed, and the index still serves.
COLUMNS = {"spec.type": "type", "spec.lifecycle": "lifecycle"}
ANNOTATIONS = "metadata.annotations.backstage.io/"
ORPHAN = f"{ANNOTATIONS}orphan"
# What other tables hold; so many conditions on these may become joins.
TAGS, RELATIONS = "metadata.tags", "relations."
OTHER_TABLES = (TAGS, RELATIONS)
FEW = 4
Among = Callable[[QuerySet], Q]
# Annotations that we add, and what they are made of.
PLACES = {
    f"{ANNOTATIONS}managed-by-location": ("location", "file__url"),
    f"{ANNOTATIONS}managed-by-origin-location": ("source__target",),
}


def supported(condition: Condition) -> Q:
    """Backstage would hold no kind that it does not know, so they are there only when asked for."""
    asked = (has for has in conditions(condition) if isinstance(has, Has) and has.key == "kind")
    unknown = any(set(has.values or ()) - set(KINDS_AS_WRITTEN) for has in asked)
    return ALL if unknown else ~Q(state=Entity.State.UNSUPPORTED)


def to_q(condition: Condition) -> Q:
    """The condition as a filter of Entity."""
    elsewhere = (has for has in conditions(condition) if has.key.startswith(OTHER_TABLES))
    return _to_q(condition, _among if len(list(elsewhere)) <= FEW else _each_among)


def _to_q(condition: Condition, among: Among) -> Q:
    match condition:
        case Every(parts):
            return reduce(and_, (_to_q(part, among) for part in parts), ALL)
        case Some(parts):
            return _any(_to_q(part, among) for part in parts)
        case Non(part):
            return ~_to_q(part, among)
        case HasPrefix(key, prefix):
            return Q(HasTermLike(f"{like(key)}={like(prefix)}%"))
    return _has(condition.key, condition.values, among)


def _has(key: str, values: tuple[str, ...] | None, among: Among) -> Q:
    if key.startswith(RELATIONS):
        return _related(key.removeprefix(RELATIONS), values, among)
    if values is None:
        return _exists(key)
    wanted = [value for value in dict.fromkeys(values) if searchable(value)]
    if key == TAGS:
        return among(Tag.objects.filter(value__in=wanted).values("entity")) if wanted else NOTHING
    return _any(_equals(key, value) for value in wanted)


def _among(pks: QuerySet) -> Q:
    """The entity is one of these."""
    return Q(pk__in=pks)


def _each_among(pks: QuerySet) -> Q:
    """The same, put so that PostgreSQL makes no join of it: it would weigh every order of many."""
    return Q(IsTrue(In(F("pk"), pks)))


class IsTrue(Func):
    """A condition that is compared with true."""

    template = "(%(expressions)s IS TRUE)"
    output_field = BooleanField()
    conditional = True


def _equals(key: str, value: str) -> Q:
    if key in COLUMNS:
        return _column(key, value)
    if key in INDEXED:
        return INDEXED[key](value)
    return _annotation(key, value) if key.startswith(ANNOTATIONS) else _term(key, value)


def _annotation(key: str, value: str) -> Q:
    if key == ORPHAN:
        return Q(state=Entity.State.MISSING) if value == "true" else NOTHING
    if key in PLACES:
        target = value.partition(":")[2]
        return _any(Q(**{f"{column}__iexact": target}) for column in PLACES[key])
    return _term(key, value)


def _term(key: str, value: str) -> Q:
    return Q(HasTerm(f"{key}={value}"))


def _exists(key: str) -> Q:
    if key in ("kind", "metadata.name", "metadata.namespace", "metadata.uid", *PLACES):
        return ALL
    if key == ORPHAN:
        return Q(state=Entity.State.MISSING)
    return Q(HasTerm(key))


def _kind(value: str) -> Q:
    if value in KINDS_AS_WRITTEN:
        return Q(kind=KINDS_AS_WRITTEN[value])
    return Q(kind__in=spellings("kind", value))


def _column(key: str, value: str) -> Q:
    found = spellings(COLUMNS[key], value) if value else ()
    # Only a custom kind's may be a number or a list, which no column holds.
    return Q(**{f"{COLUMNS[key]}__in": found}) if found else _term(key, value)


def _owned(value: str) -> Q:
    """Owners are compared as they are written; the owner's ref is what has an index."""
    last = value.rpartition("/")[2].rpartition(":")[2]
    owners = [ref for refs in all_spellings("owner_ref").values() for ref in refs]
    # Where no relation came of it (an unknown kind), there is no ref.
    may = [ref for ref in owners if not ref or ref.endswith((f"/{last}", f":{last}"))]
    return Q(owner_ref__in=may) & _term("spec.owner", value)


def _related(kind: str, values: tuple[str, ...] | None, among: Among) -> Q:
    written = RELATIONS_AS_WRITTEN.get(kind)
    if written is None:
        return NOTHING
    if written == "ownedBy" and values is not None:
        return Q(owner_ref__in=[value for value in values if value])
    edges = Relation.objects.filter(type=written)
    if values is not None:
        edges = edges.filter(target_ref__in=values)
    return among(edges.values("source"))


def _any(parts: Iterable[Q]) -> Q:
    return reduce(or_, parts, NOTHING)


def _uid(value: str) -> Q:
    try:
        return Q(uid=uuid.UUID(value))
    except ValueError:
        return NOTHING


# What has an index that answers more quickly than terms do.
INDEXED: dict[str, Callable[[str], Q]] = {
    "kind": _kind,
    "metadata.name": lambda value: Q(Exact(Lower("name"), value)),
    "metadata.namespace": lambda value: Q(namespace=value),
    "metadata.uid": _uid,
    "spec.owner": _owned,
}
