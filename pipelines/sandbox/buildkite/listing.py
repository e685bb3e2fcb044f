"""Buildkite's build lists: filters and pages."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from ..objects import Build
from ..wire import Answer, Request, json_answer
from . import errors
from .model import FINISHED, Model

DEEPEST = 10_000  # builds; deeper pages are refused
_DEEP = (
    "Listing builds this deep is not supported. Please narrow your query using filters such as "
    "branch or created_from."
)


class BadFilter(Exception):
    """A filter's value can't be read; the text says which."""


def build_list(request: Request, builds: Iterable[Build]) -> Answer:
    """A page of builds, newest first."""
    model = Model(request.instance, request.base)
    number, size = page_of(request)
    if number * size > DEEPEST:
        return errors.message(400, _DEEP)
    try:
        matching = _filtered(request, builds, model)
        found = list(islice(matching, (number - 1) * size, number * size + 1))
    except BadFilter as error:
        return errors.message(422, str(error))
    shown = [
        model.build(
            build,
            jobs=request.get("exclude_jobs").lower() != "true",
            pipeline=request.get("exclude_pipeline").lower() != "true",
            retried=request.get("include_retried_jobs").lower() == "true",
        )
        for build in found[:size]
    ]
    more = len(found) > size
    return json_answer(shown, headers=link_header(request, number, size, more))


def job_list(request: Request, jobs: list[dict[str, Any]]) -> Answer:
    """A page of jobs behind a cursor; `state` narrows it. Waiters have no state."""
    states = set(request.all("state"))
    found = [job for job in jobs if not states or job.get("state") in states]
    _, size = page_of(request)
    known = [job["id"] for job in found]
    after = request.get("after")
    if after and after not in known:
        return errors.message(400, "Invalid cursor")
    first = known.index(after) + 1 if after else 0
    page = found[first : first + size]
    kept = [(k, v) for k, v in request.query if k != "after"]
    address = f"{request.origin}{request.path}"
    links = {"self": f"{request.origin}{request.path}?{urlencode(request.query)}"}
    if first + size < len(found):
        links["next"] = f"{address}?{urlencode([*kept, ('after', page[-1]['id'])])}"
    return json_answer({"items": page, "links": links})


def page_of(request: Request) -> tuple[int, int]:
    """(page from 1, size up to 100). A page that is no number or 0 is the first."""
    number, size = request.get("page"), request.get("per_page")
    wanted = int(size) if size.isdigit() and int(size) else 30
    return max(int(number) if number.isdigit() else 1, 1), min(wanted, 100)


def link_header(
    request: Request, number: int, size: int, more: bool, last: int | None = None
) -> dict[str, str]:
    """`Link` with next, prev, first and last, without those that don't apply."""
    kept = [(k, v) for k, v in request.query if k not in ("page", "per_page")]
    pages = {}
    if more:
        pages["next"] = number + 1
        if last is not None:
            pages["last"] = last
    if number > 1:
        pages["prev"], pages["first"] = number - 1, 1
    if not pages:
        return {}
    address = f"{request.origin}{request.path}"
    links = [
        f'<{address}?{urlencode([*kept, ("page", page), ("per_page", size)])}>; rel="{name}"'
        for name, page in pages.items()
    ]
    return {"Link": ", ".join(links)}


def _filtered(request: Request, builds: Iterable[Build], model: Model) -> Iterator[Build]:
    tests = list(_tests(request, model))
    return (build for build in builds if all(test(build) for test in tests))


def _tests(request: Request, model: Model) -> Iterator[Callable[[Build], bool]]:
    branches = [part for value in request.all("branch") for part in value.split(",")]
    if branches:
        yield lambda b: any(fnmatchcase(b.branch, pattern) for pattern in branches)
    commits = request.all("commit")
    if commits:
        yield lambda b: b.commit in commits
    states = set(request.all("state"))
    if states:
        wanted = states | (FINISHED if "finished" in states else set())
        yield lambda b: bool(_words(b, model) & wanted)
    creator = request.get("creator")
    if creator:
        yield lambda b: b.who is not None and b.who.id == creator
    labels = {
        name[len("meta_data[") : -1]: value
        for name, value in request.query
        if name.startswith("meta_data[") and name.endswith("]")
    }
    if labels:
        yield lambda b: all(b.meta_data.get(key) == value for key, value in labels.items())
    yield from _time_tests(request, model)


def _words(build: Build, model: Model) -> set[str]:
    shown = model.build(build, jobs=False, pipeline=False)
    return {"blocked"} if shown["blocked"] else {shown["state"]}


def _time_tests(request: Request, model: Model) -> Iterator[Callable[[Build], bool]]:
    after = _time(request, "created_from")
    if after is not None:
        yield lambda b: b.created_at >= after
    before = _time(request, "created_to")
    if before is not None:
        yield lambda b: b.created_at < before
    ended = _time(request, "finished_from")
    if ended is not None:
        yield lambda b: (b.at(model.now).finished_at or 0) >= ended


def _time(request: Request, name: str) -> float | None:
    text = request.get(name)
    if not text:
        return None
    try:
        # a "+" of an offset that was not encoded arrives as a space
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise BadFilter(f"{name} is not a valid ISO 8601 time") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
