"""What a ref that nobody describes may have meant: another kind, another namespace, or a slip."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from django.db.models import Q

from catalog.refs import DEFAULT_NAMESPACE
from catalog.rules.kinds import KINDS
from catalog.seen import Seen

# Refs that are looked at on one page, hints for each of them, and rows that are compared.
LOOKED_AT = 10
HINTS = 2
COMPARED = 300
ALIKE = 0.75
# A slip in the first letters is rarer than anywhere else, and an index can begin with them.
SURE_LETTERS = 3


def hints_for(refs: Sequence[str], seen: Seen) -> dict[str, list[str]]:
    """{dangling ref: refs that may be seen and are near}; one query, none without refs."""
    looked_at = sorted({ref for ref in refs if "/" in ref})[:LOOKED_AT]
    if not looked_at:
        return {}
    wanted = Q(ref__in={other for ref in looked_at for other in _elsewhere(ref)})
    for ref in looked_at:
        place, _, name = ref.rpartition("/")
        wanted |= Q(ref__startswith=f"{place}/{name[:SURE_LETTERS]}")
    known = list(seen.entities().filter(wanted).values_list("ref", flat=True)[:COMPARED])
    return {ref: near(ref, known) for ref in looked_at if near(ref, known)}


def near(ref: str, known: Iterable[str]) -> list[str]:
    """The same name of another kind or namespace first, then names of its kind spelled alike."""
    known = set(known)
    same = [other for other in _elsewhere(ref) if other in known]
    kind, name = ref.partition(":")[0], ref.rpartition("/")[2]
    alike = [other for other in known if other.startswith(f"{kind}:") and other not in same]
    by_name = {other.rpartition("/")[2]: other for other in sorted(alike, reverse=True)}
    slips = [by_name[found] for found in get_close_matches(name, by_name, HINTS, ALIKE)]
    return (same + slips)[:HINTS]


def _elsewhere(ref: str) -> list[str]:
    """The same name, of every kind and in the default namespace too, the same kind first."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    kinds = [kind, *(known.lower() for known in KINDS if known.lower() != kind)]
    places = list(dict.fromkeys((namespace, DEFAULT_NAMESPACE)))
    return [
        f"{k}:{place}/{name}" for k in kinds for place in places if f"{k}:{place}/{name}" != ref
    ]
