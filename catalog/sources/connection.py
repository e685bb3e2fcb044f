"""Tries a source's connection without reading it: who we are there, and what it shows us."""

from dataclasses import dataclass
from datetime import datetime

from catalog.descriptors import ReadError
from catalog.sources.base import Reader, SourceFailed
from catalog.sources.github import GithubReader
from catalog.sources.host_reader import HostReader
from catalog.sources.url import UrlReader


@dataclass(frozen=True)
class Connection:
    """What the host says. `expires_at` is of the credential, where it tells."""

    ok: bool
    sentences: tuple[str, ...]
    expires_at: datetime | None = None


def try_out(reader: Reader) -> Connection:
    """At most a few requests; never raises for what the host does."""
    said: list[str] = []
    expires_at = None
    try:
        if isinstance(reader, GithubReader):
            who, expires_at = reader.who()
            said.append(who)
        said.append(_look(reader))
    except (ReadError, SourceFailed) as error:
        return Connection(False, (*said, str(error)), expires_at)
    if expires_at is not None:
        said.append(f"The credential ends on {expires_at:%d %B %Y}.")
    usage = reader.usage
    if usage.limit and usage.remaining is not None:
        said.append(f"{usage.remaining:,} of {usage.limit:,} requests are left.")
    return Connection(True, tuple(sentence for sentence in said if sentence), expires_at)


def _look(reader: Reader) -> str:
    """The cheapest thing that shows whether there is something to read."""
    if isinstance(reader, HostReader):
        seen = len(next(iter(reader.listed()), []))
        if not seen:
            raise ReadError(
                f"The first page of the list has no repository that this source would read: the "
                f"{reader.whole} is empty, or the credential may see nothing of it."
            )
        return f"{reader.host.name} shows its repositories."
    if isinstance(reader, UrlReader):
        reader.read(reader.roots().locations[0])
        return "The file is there."
    return ""
