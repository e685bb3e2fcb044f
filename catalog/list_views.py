"""The catalog's list: facets, search, rows and their build states."""

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from catalog import kept, version
from catalog.counted import Counts, concerned, counts_of, shows_of
from catalog.facets import chips
from catalog.forms import ANY_KIND, KINDS, MISSING, WITHOUT_BUILDS, Filters, read_filters
from catalog.mine import Mine, mine_of
from catalog.models import Entity
from catalog.pages import PER_PAGE, seen_or_denied
from catalog.queries import listed, names_in, names_of, page_of_rows
from portal.fragments import render_either, wants_fragment

MAX_PAGE = 1_000_000


@dataclass(frozen=True)
class Asked:
    """One request for the list: whose, of which version of the catalog, and what is counted."""

    version: int
    filters: Filters
    mine: Mine
    counts: Counts
    expand: str


@require_safe
def entity_list(request: HttpRequest) -> HttpResponse:
    """The catalog: facets, search and 50 rows a page; htmx gets the table with its facets."""
    seen = seen_or_denied(request)
    filters, problems = read_filters(request.GET)
    asked = _asked(request, filters, at_once="counts" in request.GET)
    fragment = wants_fragment(request)
    context = _counted(asked) | _rows(request, asked)
    context |= {"problems": problems, "fragment": fragment, "sees_all": seen.everything}
    response = render_either(
        request, "catalog/entity_list.html", "catalog/_entity_table.html", context
    )
    if fragment:
        address = reverse("catalog:entity_list") + filters.query().rstrip("?")
        # The same filters again are no step that "back" should undo.
        same = address == request.htmx.current_url_abs_path
        response["HX-Push-Url"] = "false" if same else address
    return response


@require_safe
def entity_facets(request: HttpRequest) -> HttpResponse:
    """The facets with their counts, and the total, for a page that went out before them."""
    seen_or_denied(request)
    filters, _ = read_filters(request.GET)
    asked = _asked(request, filters, at_once=True)
    context = _counted(asked) | {"chips": filters.query() != "?", "counted": True}
    return render(request, "catalog/_entity_facets.html", context)


def _asked(request: HttpRequest, filters: Filters, at_once: bool) -> Asked:
    # Before anything else is read: what is kept under it is then never older than it.
    now = version.current()
    mine = mine_of(request, now)
    expand = request.GET.get("expand", "")
    return Asked(now, filters, mine, counts_of(now, filters, mine, expand, at_once), expand)


def _counted(asked: Asked) -> dict[str, Any]:
    """What the facets, and the words above and below the table, show."""
    filters, counts = asked.filters, asked.counts
    return {
        "filters": filters,
        "total": counts.total,
        "missing": counts.missing,
        "shows": shows_of(asked.version, filters, asked.mine, counts),
        "values": _values(counts),
        "count_words": _count_words(counts.total, filters.kind),
        "facets_query": filters.query(expand=asked.expand) if asked.expand else filters.query(),
        "counts_query": filters.query(counts=1),
    }


def _values(counts: Counts) -> SafeString:
    """The kinds and facets as drawn: a third of the page, and the same for everybody."""

    def draw() -> SafeString:
        return render_to_string("catalog/_facet_values.html", {"counts": counts})

    return kept.value(f"{counts.key}:drawn", draw) if counts.key else draw()


@dataclass(frozen=True)
class Drawn:
    """The rows of one page as a table, how many they are, and whether there are more behind."""

    rows: SafeString
    count: int
    more: bool


def _rows(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    filters, total = asked.filters, asked.counts.total
    number = _page_number(request.GET.get("page", ""), total)
    start = (number - 1) * PER_PAGE
    drawn = _kept_rows(request, asked, start)
    return {
        "rows": drawn.rows if drawn.count else "",
        "first": start + 1,
        "last": start + drawn.count,
        "chips": chips(filters, names_of([*filters.owner, *filters.system], asked.mine.seen)),
        "stars": asked.mine.stars,
        "owns": bool(asked.mine.owners),
        "export_query": filters.query().rstrip("?"),
        "missing_query": replace(filters, state=(MISSING,)).query(),
        "any_query": "" if drawn.count else _in_all_kinds(asked),
        "previous_query": filters.query(page=number - 1) if number > 1 else "",
        "next_query": filters.query(page=number + 1) if drawn.more else "",
    }


def _kept_rows(request: HttpRequest, asked: Asked, start: int) -> Drawn:
    """The rows as drawn before for the same filters and stars, while the catalog stands."""
    # Which states are shown is the person's own, and of this moment; as are rows of those who may
    # not see all of them.
    if "states" in request.GET or not asked.mine.seen.everything:
        return _draw_rows(request, asked, start)[0]
    mine = asked.mine
    shown = concerned(asked.filters, mine)
    key = kept.key("rows", asked.version, asked.filters, shown, sorted(mine.stars), start)
    drawn: Drawn | None = kept.peek(key)
    if drawn is None:
        drawn, lasts = _draw_rows(request, asked, start)
        if lasts:
            kept.put(key, drawn)
    return drawn


def _draw_rows(request: HttpRequest, asked: Asked, start: int) -> tuple[Drawn, bool]:
    """And whether it says nothing of how long ago something was."""
    filters = asked.filters
    # One more than is shown tells whether there is a next page, even while nothing is counted.
    found = page_of_rows(filters, asked.mine, start, start + PER_PAGE + 1)
    shown = found[:PER_PAGE]
    context = {
        "entities": shown,
        "names": names_in(shown, asked.mine.seen),
        "stars": asked.mine.stars,
        "without_states": filters.kind in WITHOUT_BUILDS,
        "states_wanted": "states" in request.GET,
        "states_query": filters.query(page=start // PER_PAGE + 1, states=1),
        "request": request,
    }
    rows = render_to_string("catalog/_rows.html", context)
    lasts = not any(row.state == Entity.State.MISSING for row in shown)
    return Drawn(rows, len(shown), len(found) > PER_PAGE), lasts


def _in_all_kinds(asked: Asked) -> str:
    """The query for all kinds; "" where they have nothing either."""
    filters = asked.filters.with_kind(ANY_KIND)
    return filters.query() if listed(filters, asked.mine).exists() else ""


def _page_number(word: str, total: int | None) -> int:
    """The page that is asked for; a wrong number gives the nearest there is."""
    asked = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 1
    last = MAX_PAGE if total is None else -(-total // PER_PAGE)
    return max(1, min(asked, last))


def _count_words(count: int | None, kind: str) -> str:
    words = "entities" if kind == ANY_KIND else KINDS.get(kind, f"of kind {kind}")
    if count is None:
        return f"Counting the {words}…"
    if count == 1:
        words = "entity" if kind == ANY_KIND else words.removesuffix("s")
    return f"{count:,} {words}"


@require_safe
def entity_states(request: HttpRequest) -> HttpResponse:
    """The build states of the rows on a page, `?ids=1,2,3`, as out-of-band cells."""
    seen = seen_or_denied(request)
    words = request.GET.get("ids", "").split(",")[:PER_PAGE]
    ids = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]
    entities = list(seen.entities().filter(pk__in=ids).only("ref", "kind", "state"))
    return render(request, "catalog/_entity_states.html", {"entities": entities})
