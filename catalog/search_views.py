"""The search page: entities first, then pages of docs."""

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.doc_search import hits
from catalog.forms import ANY_KIND, KINDS, FilterForm, Filters
from catalog.mine import Mine
from catalog.pages import seen_or_denied
from catalog.queries import listed, names_in, rows
from catalog.search import similar, words_of
from catalog.seen import Seen

SHOWN = 12
SHOWN_PAGES = 10
FEW = 3  # with fewer found than this, a slip of the keyboard is likely


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What the catalog and its docs have for some words; of one kind where `kind` says so."""
    seen = seen_or_denied(request)
    form = FilterForm(request.GET)
    form.is_valid()
    text = " ".join(words_of(form.cleaned_data.get("q", "")))
    context = {
        "q": form.cleaned_data.get("q", ""),
        "problems": [error for errors in form.errors.values() for error in errors],
    }
    if text:
        context |= _found(text, form.cleaned_data.get("kind", ""), seen)
    return render(request, "catalog/search.html", context)


def _found(text: str, kind: str, seen: Seen) -> dict:
    whose = Mine(seen)
    everywhere = Filters(q=text, kind=ANY_KIND)
    counted = listed(everywhere, whose).order_by().values_list("kind").annotate(count=Count("*"))
    counts = dict(counted)
    total = sum(counts.values())
    filters = everywhere.with_kind(kind) if kind in counts else everywhere
    entities = list(rows(filters, whose)[:SHOWN])
    shown = {entity.name for entity in entities}
    alike = similar(text, seen) if total < FEW else []
    order = [*KINDS, *sorted(set(counts) - set(KINDS))]
    return {
        "kinds": [(one, KINDS.get(one, one), counts[one]) for one in order if one in counts],
        "kind": filters.kind,
        "total": total,
        "of_kind": counts.get(kind, total),
        "entities": entities,
        "names": names_in(entities, seen),
        # A name leads to all that have it: a team and its system are often called the same.
        "meant": list(dict.fromkeys(found.name for found in alike if found.name not in shown)),
        "pages": hits(text, SHOWN_PAGES, seen),
        "list_query": filters.query(),
    }
