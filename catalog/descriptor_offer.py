"""The descriptor that a repository without one could have, written as far as it can be guessed."""

import re
from dataclasses import dataclass

from catalog.links import safe_url
from catalog.models import Repository, Source
from catalog.sources import web_urls
from catalog.sources.tree import descriptor_paths
from catalog.starter import written
from portal import hooks

# What the pages of a kind of host look like, whatever its name is.
FLAVOURS = {
    Source.Kind.GITHUB: web_urls.GITHUB,
    Source.Kind.BITBUCKET: web_urls.BITBUCKET,
    Source.Kind.BITBUCKET_DC: web_urls.BITBUCKET_DC,
}
MAX_NAME = 63  # of metadata.name
# Never guessed: who looks after it is what only a person knows.
OWNER_LINE = "  owner:  # the team that looks after it, for example payments\n"


@dataclass(frozen=True)
class Offer:
    """A text to copy, the path that it belongs at, and where the host lets one create the file."""

    path: str
    text: str
    branch: str
    create_url: str

    @property
    def rows(self) -> int:
        """Of the box that shows it whole."""
        return self.text.count("\n") + 1


def offer_for(repository: Repository) -> Offer:
    """`repository` comes with its source."""
    path = path_of(repository.source)
    text = _text(repository)
    branch = str(repository.source.options.get("branch") or repository.default_branch)
    flavour = FLAVOURS.get(repository.source.kind)
    root = safe_url(repository.url).rstrip("/")
    place = (
        web_urls.Repository(flavour, root).create(branch, path, text) if flavour and root else ""
    )
    return Offer(path, text, branch, place)


def path_of(source: Source) -> str:
    """Where the source looks first."""
    return descriptor_paths(source.options)[0].strip("/")


def _text(repository: Repository) -> str:
    slug = repository.full_name.rpartition("/")[2]
    metadata: dict[str, object] = {"name": _name(slug)}
    if metadata["name"] != slug:
        metadata["title"] = slug
    if repository.description:
        metadata["description"] = repository.description
    metadata["annotations"] = _annotations(repository)
    document = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "service", "lifecycle": "production"},
    }
    return written(document) + OWNER_LINE


def _annotations(repository: Repository) -> dict[str, str]:
    address = f"url:{repository.url.rstrip('/')}/"
    found = {"backstage.io/source-location": address}
    if repository.source.kind == Source.Kind.GITHUB:
        found["github.com/project-slug"] = repository.full_name
    for more in hooks.repository_annotations.call(repository):
        found |= more
    return found


def _name(slug: str) -> str:
    """As Backstage allows names: letters and digits, single - _ . between them."""
    parts = re.findall(r"[A-Za-z0-9]+", slug)
    return "-".join(parts)[:MAX_NAME].rstrip("-").lower() or "unnamed"
