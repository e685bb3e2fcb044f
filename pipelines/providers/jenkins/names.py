"""Jenkins' names: full names, branch jobs, builds and queue items, and the paths they have.

A pipeline's external id is the full name, `folder/job`. A multibranch project is one pipeline; its
branches are jobs below it. A build's external id is its number, `12`, and in a multibranch project
`<branch job>/12`, since numbers repeat from branch to branch. While a request waits in the queue it
is `queue:7`, or `queue:7/<branch job>`.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from pipelines.providers.errors import NotFound
from pipelines.providers.wire import segment

_QUEUE = re.compile(r"queue:([0-9]{1,18})(?:/([^/]+))?")
_BUILD = re.compile(r"(?:([^/]+)/)?([0-9]{1,10})")
_QUEUE_PATH = re.compile(r"/queue/item/([0-9]{1,18})(?:/|$)")
# Jenkins' own pages; a job may have such a name too.
_SIGN_IN = re.compile(r"(?!.*/job/).*/(login|securityRealm)(/|$)")


@dataclass(frozen=True)
class QueueRef:
    """A place in Jenkins' queue; `item` is the branch job's name, empty outside multibranch."""

    id: int
    item: str = ""

    def __str__(self) -> str:
        return f"queue:{self.id}/{self.item}" if self.item else f"queue:{self.id}"


@dataclass(frozen=True)
class BuildRef:
    """A build's number, with the branch job in a multibranch project."""

    number: int
    item: str = ""

    def __str__(self) -> str:
        return f"{self.item}/{self.number}" if self.item else str(self.number)


def parse_ref(external_id: str) -> BuildRef | QueueRef:
    """Reads a build's external id or a queue reference. Raises NotFound for anything else."""
    if queued := _QUEUE.fullmatch(external_id):
        return QueueRef(int(queued[1]), queued[2] or "")
    if build := _BUILD.fullmatch(external_id):
        return BuildRef(int(build[2]), build[1] or "")
    raise NotFound(f"{external_id!r} is not a Jenkins build.")


def job_path(full_name: str, item: str = "") -> str:
    """`a/b` -> `/job/a/job/b`. A name holding %2F becomes %252F, as Jenkins expects."""
    names = [*full_name.split("/"), *([item] if item else [])]
    return "".join(f"/job/{segment(name)}" for name in names)


def branch_of(item: str) -> str:
    """The branch that a branch job builds: the job `feature%2Fx` builds `feature/x`.

    Only this way round: which characters the branch-api plugin encodes in a job's name differs
    from version to version."""
    return unquote(item)


def queue_id(location: str) -> int | None:
    """The id in a Location header. Nothing else of it is used: Jenkins makes scheme, host and
    port of it from what its proxy told, which is often wrong."""
    found = _QUEUE_PATH.search(location)
    return int(found[1]) if found else None


def leads_away(location: str, base_url: str, asked: str = "") -> bool:
    """Whether a redirect says that nothing was done: it goes to another host, to Jenkins' sign-in,
    or to the very path that was asked (a proxy that wants https)."""
    try:
        target = urlsplit(urljoin(base_url + "/", location))
        same = target.hostname == urlsplit(base_url).hostname
    except ValueError:
        return True
    again = bool(asked) and unquote(target.path).rstrip("/").endswith(unquote(asked))
    return not same or again or bool(_SIGN_IN.match(target.path))
