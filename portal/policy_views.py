"""Who may do what: the people of one service, and everything that one person may do."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.access import display_name
from portal.dry_run import read_people, read_policy
from portal.effect_rows import environment_names, may, named, rows_of, terms, way_words
from portal.guard import Denied, require, require_seen
from portal.policy import Grant, Target
from portal.policy.effects import Line, Person, Place, Policy, Way, compare
from portal.subjects import people_of

NOBODY = Policy({})
# What a service's page is asked for: whatever takes effect somewhere.
OF_ENVIRONMENTS = ("run", "approve", "glass")
MAX_ROWS = 100
NO_SUCH = "The catalog has nothing of that name, or you may not see it."


@dataclass(frozen=True)
class Who:
    """People who may do the same here, by the same roles and on the same terms."""

    people: tuple[str, ...]
    may: str
    through: str
    terms: str


@dataclass(frozen=True)
class Somewhere:
    """One environment of a service; `rules` hold for everybody."""

    name: str
    rules: str
    frozen: bool
    rows: list[Who]
    more: int


@require_safe
def policy_who(request: HttpRequest) -> HttpResponse:
    """Who may run, approve and break the glass for one service, in each environment."""
    ref = request.GET.get("ref", "").strip().lower()[:255].replace("\x00", "")
    policy = read_policy(ref) if ref else NOBODY
    entity = next((place for place in policy.places if place.key == ("entity", ref)), None)
    if entity is None:
        raise Http404(NO_SUCH)
    require_seen(request, "catalog.view", entity.target, NO_SUCH)
    places = [place for place in policy.places if place.key[0] in OF_ENVIRONMENTS]
    context = {"ref": ref, "label": entity.label, "found": list(_environments(policy, places))}
    return render(request, "portal/policy_who.html", context)


@require_safe
def policy_mine(request: HttpRequest) -> HttpResponse:
    """Everything that I may do, and where."""
    return render(request, "portal/policy_mine.html", _of_person(request.user))


@require_safe
def policy_person(request: HttpRequest, pk: int) -> HttpResponse:
    """The same of somebody else: for administrators, and for who may see who may do what."""
    if not (request.user.is_superuser and request.user.is_staff):
        _require_policy(request)
    person = get_object_or_404(User, pk=pk)
    return render(request, "portal/policy_person.html", _of_person(person))


def _require_policy(request: HttpRequest) -> None:
    """Suggests no change: the smallest would give a role everywhere, for one look."""
    try:
        require(request, "policy.view", Target("what somebody may do"))
    except Denied as denied:
        raise Denied(replace(denied.decision, question=None)) from None


def _of_person(user: Any) -> dict[str, Any]:
    policy = read_policy()
    people = read_people(policy.grants, user)
    lines = compare(people, NOBODY, policy)
    return {
        "person": user,
        "name": display_name(user),
        "incomplete": people[0].incomplete if people else "",
        "rows": rows_of(lines[:MAX_ROWS]),
        "more": max(len(lines) - MAX_ROWS, 0),
    }


def _environments(policy: Policy, places: Sequence[Place]) -> Iterator[Somewhere]:
    people = read_people(policy.grants)
    lines = compare(people, NOBODY, replace(policy, places=tuple(places)))
    now, known = timezone.now(), environment_names()
    for name in dict.fromkeys(place.target.environment for place in places):
        here = [place for place in places if place.target.environment == name]
        runs = [place for place in here if place.key[0] == "run"]
        rows = _rows(policy, [line for line in lines if line.environment == name], len(runs))
        ways = [Way(place.target.approvals_needed, place.branches, place.frozen) for place in runs]
        yield Somewhere(
            known.get(name, name),
            "; ".join(dict.fromkeys(word for way in ways for word in way_words(way))),
            any(begin <= now < end for place in runs for begin, end in place.frozen),
            rows[:MAX_ROWS],
            max(len(rows) - MAX_ROWS, 0),
        )


def _rows(policy: Policy, lines: Sequence[Line], runs: int) -> list[Who]:
    """Per person, what they may do by which roles; then people of whom the same holds as one."""
    by_person: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    names: dict[int, str] = {}
    roles: dict[tuple[frozenset[str], Line], str] = {}
    for line in lines:
        words = _terms(line, runs)
        for person in line.people:
            names[person.user_id] = person.name
            if (person.groups, line) not in roles:
                roles[person.groups, line] = _through(policy, person, line)
            by_person[person.user_id, roles[person.groups, line], words] += line.permissions
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (user_id, through, words), permissions in by_person.items():
        found[may(sorted(set(permissions))), through, words].append(names[user_id])
    return [
        Who(tuple(sorted(people, key=str.lower)), *words)
        for words, people in sorted(found.items(), key=lambda item: (-len(item[0][0]), item[0]))
    ]


def _terms(line: Line, runs: int) -> str:
    """What holds for these people alone: approvals, branches and freezes stand above them all."""
    alone = replace(line, after=Way())
    of_some = line.places[0].key[0] != "glass" and len({one.label for one in line.places}) < runs
    where = named([place.label for place in line.places], "pipelines")
    return "; ".join(part for part in (terms(alone), f"only {where}" if of_some else "") if part)


def _through(policy: Policy, person: Person, line: Line) -> str:
    giving = [grant for grant in policy.held_by(person.groups) if _gives(grant, line)]
    return ", ".join(dict.fromkeys(f"{grant.role} by {people_of(grant.group)}" for grant in giving))


def _gives(grant: Grant, line: Line) -> bool:
    """Whether it is one of those that the line is made of."""
    return (
        not grant.permissions.isdisjoint(line.permissions)
        and grant.in_environment(line.environment)
        and grant.conditions in (line.conditions, type(line.conditions)())
        and any(
            grant.covers(place.target) and place.target.role in ("", grant.role)
            for place in line.places
        )
    )
