"""What an entity's page shows of its repository: the main branch and the open pull requests."""

from typing import Any

from catalog.links import safe_url
from catalog.models import Entity, PullRequest, Repository, Source

SHOWN = 5
# A host is asked for one page of pull requests; as many as that may be more.
PAGE = 50


def repository_of(entity: Entity) -> Repository | None:
    """The repository that holds the entity's descriptor; one query where `file` is loaded."""
    if entity.file is None:
        return None
    return Repository.objects.select_related("source").filter(files=entity.file).first()


def repository_panel(entity: Entity) -> dict[str, Any]:
    """For catalog/_pull_requests.html; two queries, one where there is no repository."""
    repository = repository_of(entity)
    return {"repository": repository} | (pull_requests(repository) if repository else {})


def pull_requests(repository: Repository) -> dict[str, Any]:
    """The newest, how many there are besides, and where all of them are."""
    found = newest(repository, PAGE + 1)
    more = max(len(found) - SHOWN, 0)
    return {
        "pull_requests": found[:SHOWN],
        "pull_requests_count": f"{PAGE} or more" if len(found) >= PAGE else len(found),
        "pull_requests_more": f"At least {more} more" if len(found) >= PAGE else f"{more} more",
        "pull_requests_left_out": more,
        "pull_requests_url": _list_url(repository),
        "repository_url": safe_url(repository.url),
    }


def newest(repository: Repository, count: int) -> list[PullRequest]:
    """The first of its open pull requests, each with an address that may be linked to."""
    found = list(PullRequest.objects.filter(repository=repository)[:count])
    for pull in found:
        pull.url = safe_url(pull.url)
    return found


def _list_url(repository: Repository) -> str:
    page = "pulls" if repository.source.kind == Source.Kind.GITHUB else "pull-requests"
    return safe_url(f"{repository.url}/{page}") if repository.url else ""
