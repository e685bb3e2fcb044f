"""Text search over the catalog: every word must occur, what is named so comes first."""

from django.db.models import Case, IntegerField, QuerySet, Value, When

from catalog.models import Entity

MAX_WORDS = 8


def matching(entities: QuerySet[Entity], text: str) -> QuerySet[Entity]:
    """The entities in whose search text every word of `text` occurs, in any order and case.

    `Entity.search_text` is stored in lower case by sync, so a plain `contains` folds case for
    every alphabet on both databases; SQLite's own `icontains` folds only ASCII.
    """
    for word in text.lower().split()[:MAX_WORDS]:
        entities = entities.filter(search_text__contains=word)
    return entities


def best_first(entities: QuerySet[Entity], text: str) -> QuerySet[Entity]:
    """In the order a reader expects: the name itself, names that begin so, names, the rest."""
    words = text.lower().split()
    if not words:
        return entities.order_by("name", "ref")
    first = words[0]
    rank = Case(
        When(name__iexact=first, then=Value(0)),
        When(name__istartswith=first, then=Value(1)),
        When(name__icontains=first, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    return entities.order_by(rank, "name", "ref")
