"""What the address that a person pasted is: a descriptor, a repository, or known here already.

Nothing is read here but our own tables; what is found at the address, the dry run says. A person
who registers chooses an address and nothing else: no credential, no folder of this machine.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urldefrag, urlsplit

from catalog.models import Repository as RepositoryRow
from catalog.models import Source
from catalog.sources import SourceSpec
from catalog.sources.tree import FILE_NAMES, descriptor_paths
from catalog.sources.web_urls import FileAddress, Repository, parse_file, parse_repository
from portal.audit import SECRET_WORDS

MAX_URL = 500
SUFFIXES = (".yaml", ".yml", ".json")
# Most likely the default branch, which a source without a branch reads.
USUAL_BRANCHES = frozenset({"HEAD", "main", "master", "trunk"})
KNOWN_HERE = (Source.Kind.GIT, Source.Kind.URL)


class NotUsable(Exception):
    """The address can't be registered; the text says what to write instead."""


@dataclass(frozen=True)
class Analysis:
    """What would be registered. `repository` is None where the host is not known.

    `path` and `branch` are where a descriptor is looked for, `branch` empty for the default one.
    `source` reads it already; `row` is the repository there, if it is a host's source.
    """

    url: str
    spec: SourceSpec
    name: str
    path: str = FILE_NAMES[0]
    branch: str = ""
    repository: Repository | None = None
    source: Source | None = None
    row: RepositoryRow | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        return self.source is not None


def analyse(text: str) -> Analysis:
    """What an address means, and who reads it already. Raises NotUsable."""
    url = _clean(text)
    found = _of_file(url) or _of_repository(url)
    source, row = _reader_of(found)
    return Analysis(**{**found.__dict__, "source": source, "row": row})


def _clean(text: str) -> str:
    url = urldefrag(text.strip()).url
    if not url:
        raise NotUsable("Paste the address of a descriptor or of a repository.")
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        raise NotUsable(f"An address has {MAX_URL} characters at most, and no spaces.")
    if "://" not in url and (repository := parse_repository(url)):
        return repository.root  # git@host:owner/name, as hosts print it
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        if url.startswith("ssh://") and (repository := parse_repository(url)):
            return repository.root
        raise NotUsable("Write the whole address, beginning with https://.")
    if "@" in parts.netloc:
        raise NotUsable(
            "The address holds a user name or password. Leave it out: what needs a credential is "
            "added by an administrator."
        )
    if any(word in name.lower() for name, _ in parse_qsl(parts.query) for word in SECRET_WORDS):
        raise NotUsable(
            "The address holds a token, which everybody here could read. Leave it out: what needs "
            "a credential is added by an administrator."
        )
    return url


def _of_file(url: str) -> Analysis | None:
    """The file or folder that the address names; None when it names neither."""
    address = parse_file(url)
    if address is None:
        is_file = unquote(urlsplit(url).path).lower().endswith(SUFFIXES)
        return Analysis(url, SourceSpec("url", url), _last(url)) if is_file else None
    branch, path = address.split()
    pages = address.repository
    if path.lower().endswith(SUFFIXES) and "*" not in path:
        target = pages.page(branch, path) if not address.raw else url
        return Analysis(url, SourceSpec("url", target), pages.name, path, branch, pages)
    return _of_folder(url, address, branch, path)


def _of_folder(url: str, address: FileAddress, branch: str, path: str) -> Analysis:
    """A folder of a repository, or a pattern in it: read with git."""
    wanted = path if "*" in path else "/".join(part for part in (path, FILE_NAMES[0]) if part)
    options: dict[str, Any] = {"branch": branch} if branch and branch != "HEAD" else {}
    if wanted != FILE_NAMES[0]:
        options["path"] = [wanted]
    return _git(url, address.repository.clone, address.repository, options)


def _of_repository(url: str) -> Analysis:
    pages = parse_repository(url)
    return _git(url, pages.clone if pages else url, pages, {})


def _git(url: str, target: str, pages: Repository | None, options: dict[str, Any]) -> Analysis:
    paths = descriptor_paths(options)
    return Analysis(
        url=url,
        spec=SourceSpec("git", target, options=options),
        name=pages.name if pages else _last(url),
        path=paths[0],
        branch=str(options.get("branch") or ""),
        repository=pages,
        options=options,
    )


def _reader_of(found: Analysis) -> tuple[Source | None, RepositoryRow | None]:
    """The source that reads this already, and the repository's row where it is a host's."""
    for source in Source.objects.filter(kind=found.spec.kind, target=found.spec.target):
        if found.spec.kind == "url" or _same_paths(source.options, found.options):
            return source, None
    if found.repository is None:
        return None, None
    rows = RepositoryRow.objects.filter(
        full_name__iexact=found.repository.name, state=RepositoryRow.State.ACTIVE
    )
    for row in rows.select_related("source"):
        there = parse_repository(row.url)
        if there and there.key == found.repository.key:
            return row.source, row
    return _sibling(found, found.repository), None


def _sibling(found: Analysis, repository: Repository) -> Source | None:
    """A source that reads the same file of the same repository by another address."""
    for source in Source.objects.filter(kind__in=KNOWN_HERE):
        there = parse_repository(source.target)
        if there is None or there.key != repository.key:
            continue
        if source.kind == Source.Kind.URL:
            address = parse_file(source.target)
            same = address is not None and address.split() == (found.branch, found.path)
        else:
            branches = {found.branch} | ({""} if found.branch in USUAL_BRANCHES else set())
            branch = str(source.options.get("branch") or "")
            same = branch in branches and found.path in descriptor_paths(source.options)
        if same:
            return source
    return None


def _same_paths(one: dict[str, Any], other: dict[str, Any]) -> bool:
    same_branch = (one.get("branch") or "") == (other.get("branch") or "")
    return same_branch and descriptor_paths(one) == descriptor_paths(other)


def _last(url: str) -> str:
    """A name for what has none: the host and the last part of the path."""
    parts = urlsplit(url)
    last = unquote(parts.path).rstrip("/").rpartition("/")[2].removesuffix(".git")
    return f"{parts.hostname}: {last}" if last else str(parts.hostname)
