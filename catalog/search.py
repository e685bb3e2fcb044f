"""Text search over entities: every word must occur, what is named so comes first.

Words are found inside words, at the speed of an index of trigrams (catalog/search_index.py) that
names the rows where a word may occur; the column itself then says where it does.
"""

from difflib import SequenceMatcher
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Abs, Length, Lower

from catalog.models import Entity
from catalog.seen import Seen

MAX_WORDS = 8
GRAM = 3
# A mistyped name has this share of letters in common with what was meant (difflib's ratio).
ALIKE = 0.7
CANDIDATES = 200
OFFERED = 3

_TRIGRAMS = "SELECT rowid FROM catalog_entity_trigrams WHERE catalog_entity_trigrams MATCH %s"


def words_of(text: str) -> list[str]:
    """The words that are asked for, in lower case."""
    return text.lower().split()[:MAX_WORDS]


def matching(entities: QuerySet[Entity], text: str) -> QuerySet[Entity]:
    """The entities in whose search text every word of `text` occurs, in any order and case.

    `Entity.search_text` is stored in lower case by sync, so a plain `contains` folds case for
    every alphabet on both databases; SQLite's own `icontains` folds only ASCII.
    """
    words = words_of(text)
    for word in words:
        entities = entities.filter(search_text__contains=word)
    return _narrowed(entities, words)


def best_first(entities: QuerySet[Entity], text: str) -> QuerySet[Entity]:
    """In the order a reader expects: the name itself, names that begin so, names, titles, tags."""
    words = words_of(text)
    if not words:
        return entities.order_by(Lower("name"), "ref")
    first = words[0]
    rank = Case(
        When(name__iexact=first, then=Value(0)),
        When(name__istartswith=first, then=Value(1)),
        *(When(name__icontains=f"{mark}{first}", then=Value(2)) for mark in "-_."),
        When(name__icontains=first, then=Value(3)),
        When(title__icontains=first, then=Value(4)),
        # Tags are the last lines of the search text, each on its own.
        When(search_text__endswith=f"\n{first}", then=Value(5)),
        When(search_text__contains=f"\n{first}\n", then=Value(5)),
        default=Value(6),
        output_field=IntegerField(),
    )
    return entities.order_by(rank, Lower("name"), "ref")


def similar(text: str, seen: Seen) -> list[Entity]:
    """Entities that may be seen, with names much like the text, the likest first; for "did you
    mean". Two queries."""
    meant = "-".join(words_of(text))
    grams = _grams(meant)
    if not grams:
        return []
    shared = sum(
        (Case(When(name__icontains=gram, then=1), default=0) for gram in grams), start=Value(0)
    )
    any_gram = reduce(or_, (Q(search_text__contains=gram) for gram in grams))
    light = seen.entities().only("ref", "kind", "name", "title")
    found = _narrowed(light.filter(any_gram), grams, "OR").order_by(-shared, "name", "ref")
    # Two letters that have changed places can leave no trigram as it was.
    begin, length = meant[:2], Abs(Length("name") - len(meant))
    near = light.alias(folded=Lower("name")).filter(
        folded__gte=begin, folded__lt=begin[:-1] + _next(begin[-1])
    )
    candidates = [*found[:CANDIDATES], *near.order_by(length, "name", "ref")[:CANDIDATES]]
    ranked = {
        entity.ref: (SequenceMatcher(None, meant, entity.name.lower()).ratio(), entity)
        for entity in candidates
    }
    alike = [pair for pair in ranked.values() if pair[0] >= ALIKE]
    return [entity for _, entity in sorted(alike, key=lambda pair: -pair[0])[:OFFERED]]


# --- Trigrams --------------------------------------------------------------------------------
def _grams(word: str) -> list[str]:
    """Every three letters that stand side by side in the word, each once."""
    return list(dict.fromkeys(word[i : i + GRAM] for i in range(len(word) - GRAM + 1)))


def _next(letter: str) -> str:
    """The letter that sorts behind it; halves of surrogate pairs are none."""
    code = ord(letter) + 1
    return chr(0xE000 if code == 0xD800 else min(code, 0x10FFFF))


def _narrowed(
    entities: QuerySet[Entity], words: list[str], joined: str = "AND"
) -> QuerySet[Entity]:
    """On SQLite, only rows where the words may occur. PostgreSQL sees for itself that it can."""
    grams = dict.fromkeys(gram for word in words for gram in _grams(word))
    if connection.vendor != "sqlite" or not grams:
        return entities
    match = f" {joined} ".join('"' + gram.replace('"', '""') + '"' for gram in grams)
    return entities.filter(pk__in=RawSQL(_TRIGRAMS, [match]))  # noqa: S611, a parameter
