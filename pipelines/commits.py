"""Which commit a request is about, so that what runs is what was approved.

Known are a commit that was asked for, a build's own, and the newest of a branch as the
repository's host tells it at this moment, through a catalog source that reads it. What a CI
server can't be told is `unpinned`: the commit is known then at best, and compared later.
"""

from dataclasses import dataclass

from django.db.models import Q

from catalog.branches import BranchUnknown, newest_commit
from catalog.models import Repository, Source
from pipelines.effects import SHA_LENGTHS, Effect
from pipelines.inputs import takes
from pipelines.models import Pipeline, Trigger
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.repository_places import is_at, place_of

Action = Trigger.Action
# They run nothing of their own: no commit, or that of a build that runs already.
AS_IT_IS = frozenset({Action.CANCEL, Action.UNBLOCK, Action.ACTIVATE})
GIVE_IT = "Give the commit's whole id."


@dataclass(frozen=True)
class Pin:
    """`commit` is "" where nobody knows it; `why` says why the run can't be pinned to it; `found`:
    it is the newest of the branch."""

    commit: str = ""
    why: str = ""
    found: bool = False

    @property
    def unpinned(self) -> bool:
        return bool(self.why)


def pin(action: str, pipeline: Pipeline, effect: Effect) -> Pin:
    """The commit that an action would run. Asks the repository's host where nothing else tells, so
    never inside a transaction."""
    if action in AS_IT_IS:
        return Pin(effect.commit)
    cannot = "" if takes(pipeline, Capability.COMMIT) else _cannot(pipeline)
    if len(effect.commit) in SHA_LENGTHS:
        return Pin(effect.commit, cannot)
    if action != Action.START:
        return Pin("", cannot or "The commit of that build is not known.")
    try:
        return Pin(_newest(pipeline, effect.branch), cannot, found=True)
    except BranchUnknown as unknown:
        return Pin("", cannot or f"{unknown} {GIVE_IT}")


def _cannot(pipeline: Pipeline) -> str:
    adapter = PROVIDERS.get(pipeline.server.provider)
    return f"{adapter.label if adapter else 'The CI server'} can't be told which commit to build."


def _newest(pipeline: Pipeline, branch: str) -> str:
    """Raises BranchUnknown with a sentence."""
    if not branch:
        raise BranchUnknown("Nobody has said which branch.")
    sources = [*_repositories(pipeline), *_clones(pipeline)]
    if not sources:
        raise BranchUnknown(
            f"No catalog source reads the repository of {pipeline.name}, so the newest commit of "
            f"{branch} is not known."
        )
    found = sources[0]
    if isinstance(found, Source):
        return newest_commit(found, None, branch)
    return newest_commit(found.source, found, branch)


def _repositories(pipeline: Pipeline) -> list[Repository]:
    """The repository at its host; none where two could be meant."""
    path = place_of(pipeline.repository)[1]
    name = path.rpartition("/")[2] if pipeline.repository else pipeline.external_id
    likely = Q(full_name__iendswith=f"/{name}") | Q(full_name__iexact=name)
    rows = Repository.objects.filter(
        likely, state=Repository.State.ACTIVE, source__enabled=True
    ).select_related("source")
    if pipeline.repository:
        found = [row for row in rows if is_at(row, pipeline.repository)]
    else:
        found = [row for row in rows if row.full_name.lower() == name.lower()]
    places = {row.url.lower() for row in found}
    return found if len(places) == 1 else []


def _clones(pipeline: Pipeline) -> list[Source]:
    """Sources that are a clone of that very repository."""
    if not pipeline.repository:
        return []
    wanted = place_of(pipeline.repository)
    rows = Source.objects.filter(kind="git", enabled=True)
    return [row for row in rows if place_of(row.target) == wanted]
