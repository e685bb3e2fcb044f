"""Repositories' names: as paths of the API, as links to Bitbucket's pages, and in annotations."""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from pipelines.providers.annotations import claims
from pipelines.providers.base import AnnotatedPipeline
from pipelines.providers.errors import NotFound
from pipelines.providers.wire import is_number, segment

API_HOST = "api.bitbucket.org"
WEB = "https://bitbucket.org"
WEB_HOSTS = ("bitbucket.org", "www.bitbucket.org")

SLUGS = ("bitbucket.org/repo-slug", "bitbucket.com/repo-slug")
# Written by plugins for pull requests, often as PROJECT/repo of a Data Center.
PROJECT_SLUG = "bitbucket.com/project-slug"
REPO_URL = "bitbucket.org/repo-url"
SOURCE = "backstage.io/source-location"
ANNOTATIONS = (*SLUGS, REPO_URL, PROJECT_SLUG, SOURCE)

_UUID = re.compile(r"\{[0-9a-fA-F-]{36}\}")


def repository_path(pipeline: str) -> str:
    """The API's path of `workspace/repository`, or of a repository's `{uuid}` wherever it is."""
    if _UUID.fullmatch(pipeline):
        return f"/repositories/{segment('{}')}/{segment(pipeline)}"
    workspace, _, slug = pipeline.partition("/")
    return f"/repositories/{segment(workspace)}/{segment(slug)}"


def build_path(pipeline: str, build: str) -> str:
    """A build number works wherever the API takes a pipeline's uuid."""
    if not is_number(build):
        raise NotFound(f"{build!r} is not a Bitbucket build.")
    return f"{repository_path(pipeline)}/pipelines/{build}"


def web_of(base_url: str) -> str:
    """Where Bitbucket's pages are; a stand-in has them beside its API."""
    host = urlsplit(base_url).hostname
    return WEB if host == API_HOST else base_url.rstrip("/").removesuffix("/2.0")


def named(annotations: Mapping[str, str]) -> list[AnnotatedPipeline]:
    """What is named for Bitbucket; only without that, what the others imply."""
    said = claims(annotations, SLUGS, _normal) + _by_url(annotations, REPO_URL)
    if said:
        unique: dict[tuple[str, str], AnnotatedPipeline] = {}
        for claim in said:
            unique.setdefault((claim.server, claim.pipeline), claim)
        return list(unique.values())
    guessed = claims(annotations, (PROJECT_SLUG,), _normal) + _by_url(annotations, SOURCE)
    return [replace(claim, implied=True) for claim in guessed]


def _normal(name: str) -> str:
    """Bitbucket's slugs are lower case, and its pages take any."""
    return unquote(name).strip("/").removesuffix(".git").lower()


def _by_url(annotations: Mapping[str, str], key: str) -> list[AnnotatedPipeline]:
    value = annotations.get(key)
    if not isinstance(value, str):
        return []
    try:
        parts = urlsplit(value.strip().removeprefix("url:"))
        host = parts.hostname
    except ValueError:
        return []
    names = [part for part in parts.path.split("/") if part]
    if host not in WEB_HOSTS or len(names) < 2:
        return []
    return [AnnotatedPipeline(key, value.strip(), _normal("/".join(names[:2])))]
