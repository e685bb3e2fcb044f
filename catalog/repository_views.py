"""The pages about repositories: what the sources found, with a descriptor and without.

A repository is seen by who sees an entity that it describes; one without, by who sees everything.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.descriptor_offer import offer_for
from catalog.links import safe_url
from catalog.models import PullRequest, Repository, Source
from catalog.pages import page_of, seen_or_denied
from catalog.repository_panel import newest
from catalog.seen import Seen, seen_of
from portal.fragments import render_either
from portal.policy import Target

REPOSITORIES = Target("the repositories that sources found")
# What ?descriptor= may say, and the rows that it leaves.
DESCRIPTOR = {"with": True, "without": False}
CHOICES = [("", "All"), ("with", "With a descriptor"), ("without", "Without a descriptor")]
SHOWN = 100  # pull requests and entities of one repository
MAX_TEXT = 200


@dataclass(frozen=True)
class Filters:
    """The list's filters, as they stand in its address."""

    q: str = ""
    descriptor: str = ""
    source: str = ""

    @property
    def is_default(self) -> bool:
        return self == Filters()

    def query(self, page: int = 1) -> str:
        words = {"q": self.q, "descriptor": self.descriptor, "source": self.source}
        words |= {"page": str(page) if page > 1 else ""}
        return "?" + urlencode({name: word for name, word in words.items() if word})


@require_safe
def repository_list(request: HttpRequest) -> HttpResponse:
    """Every repository that is listed at its host, 50 a page."""
    seen = seen_or_denied(request, REPOSITORIES)
    filters = _filters(request)
    found = _found(filters, seen)
    page = page_of(request, _rows(found), found.count())
    context = {
        "filters": filters,
        "page": page,
        "repositories": page.object_list,
        "sources": _sources(seen),
        "choices": CHOICES,
        "previous_query": filters.query(page.number - 1),
        "next_query": filters.query(page.number + 1),
    }
    return render_either(
        request, "catalog/repository_list.html", "catalog/_repository_table.html", context
    )


@require_safe
def repository_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One repository: what describes it, its pull requests and builds, or a descriptor to add."""
    seen = seen_of(request)
    repository = _shown(seen).select_related("source").filter(pk=pk).first()
    if repository is None:
        raise Http404(
            "There is no such repository, or you may not see it. Its source may have been deleted."
        )
    entities = seen.entities().filter(file__repository=repository).order_by("kind", "name")
    context: dict[str, Any] = {
        "repository": repository,
        "url": safe_url(repository.url),
        "entities": entities.defer("document", "search_text")[:SHOWN],
        "pull_requests": newest(repository, SHOWN),
        "pull_request_count": repository.pull_requests.count(),
        "offer": offer_for(repository) if repository.has_descriptor is False else None,
    }
    return render(request, "catalog/repository_detail.html", context)


def _filters(request: HttpRequest) -> Filters:
    """What the address says; a word that means nothing is left out."""
    given = {name: request.GET.get(name, "")[:MAX_TEXT].strip() for name in ("q", "source")}
    given = {name: word for name, word in given.items() if "\x00" not in word}
    descriptor = request.GET.get("descriptor", "")
    return Filters(**given, descriptor=descriptor if descriptor in DESCRIPTOR else "")


def _shown(seen: Seen) -> QuerySet[Repository]:
    if seen.everything:
        return Repository.objects.all()
    described = seen.entities().exclude(file__repository=None)
    return Repository.objects.filter(pk__in=described.values("file__repository"))


def _found(filters: Filters, seen: Seen) -> QuerySet[Repository]:
    found = _shown(seen).filter(state=Repository.State.ACTIVE)
    if filters.descriptor:
        found = found.filter(has_descriptor=DESCRIPTOR[filters.descriptor])
    if filters.source:
        found = found.filter(source__slug=filters.source)
    for word in filters.q.split():
        found = found.filter(full_name__icontains=word)
    return found


def _rows(found: QuerySet[Repository]) -> QuerySet[Repository]:
    pulls = PullRequest.objects.filter(repository=OuterRef("pk")).order_by().values("repository")
    counted = Subquery(pulls.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    return found.select_related("source").annotate(pull_count=Coalesce(counted, 0))


def _sources(seen: Seen) -> QuerySet[Source]:
    """Those of a kind that has repositories, as far as some may be seen."""
    kinds = [Source.Kind.BITBUCKET, Source.Kind.BITBUCKET_DC, Source.Kind.GITHUB]
    found = Source.objects.filter(kind__in=kinds).only("slug", "name")
    return found if seen.everything else found.filter(pk__in=_shown(seen).values("source"))
