"""Jenkins' exported objects: items, runs, queue items, people. Field names are core's @Exported."""

from collections.abc import Callable
from typing import Any

from .. import script
from ..engine import Instance
from ..objects import Build, Folder, Pipeline, QueueItem, Token
from . import names
from .actions import definition, primary_branch, queue_actions, run_actions
from .log import RESULTS
from .tree import Exported

_GOOD, _BAD = (script.PASSED, script.UNSTABLE), (script.FAILED, script.CANCELLED)
_COLORS = {
    script.PASSED: "blue",
    script.UNSTABLE: "yellow",
    script.FAILED: "red",
    script.CANCELLED: "aborted",
    script.SKIPPED: "notbuilt",
}


class Model:
    """Builds the exported objects of one instance, as one client sees them."""

    def __init__(self, instance: Instance, root: str, token: Token | None) -> None:
        self.instance = instance
        self.root = root.rstrip("/")
        self.token = token
        self.now = instance.now()

    # --- items ----------------------------------------------------------------------------------
    def visible(self, name: str) -> bool:
        if self.token is None:
            return True
        return self.token.sees(name) or any(part.startswith(f"{name}/") for part in self.token.only)

    def item(self, item: Pipeline | Folder) -> Exported:
        return self.folder(item) if isinstance(item, Folder) else self.job(item)

    def children(self, folder: Folder) -> list[Exported]:
        found = [
            self.instance.pipelines.get(name) or self.instance.folders[name]
            for name in folder.children
            if self.visible(name)
        ]
        return [self.item(item) for item in found]

    def folder(self, folder: Folder) -> Exported:
        fields = self._named(folder) | {
            "actions": self._source(folder),
            "description": None,
            "jobs": lambda: self.children(folder),
            "healthReport": [],
            "primaryView": None,
            "views": [],
        }
        return Exported(names.job_class(folder), fields, ("name", "url"))

    def _source(self, folder: Folder) -> list[Exported | dict[str, Any]]:
        """Where a multibranch project finds its branches, as its branch source tells."""
        jobs = [self.instance.pipelines.get(name) for name in folder.children]
        repository = next((job.repository for job in jobs if job and job.repository), "")
        if folder.kind != "multibranch" or not repository:
            return []
        fields = {"objectDescription": None, "objectDisplayName": "", "objectUrl": repository}
        return [{}, Exported("jenkins.scm.api.metadata.ObjectMetadataAction", fields)]

    def _named(self, item: Pipeline | Folder) -> dict[str, Any]:
        return {
            "name": item.name.rsplit("/", 1)[-1],
            "fullName": item.name,
            "displayName": names.display_name(item),
            "fullDisplayName": item.name.replace("/", " » "),
            "url": self.item_url(item),
        }

    def item_url(self, item: Pipeline | Folder) -> str:
        return f"{self.root}/{names.path_of(item.name)}"

    def job(self, job: Pipeline) -> Exported:
        fields: dict[str, Any] = self._named(job) | {
            "actions": [{}, *primary_branch(job)],
            "description": job.description or None,
            "buildable": not job.disabled,
            "color": lambda: self.color(job),
            "inQueue": lambda: self.queued(job) is not None,
            "queueItem": lambda: self._or_none(self.queue_item, self.queued(job)),
            "keepDependencies": False,
            "nextBuildNumber": job.next_number,
            "concurrentBuild": job.concurrent,
            "disabled": job.disabled,
            "healthReport": [],
            "resumeBlocked": False,
            "property": lambda: self._properties(job),
            "builds": lambda: [self.run(build) for build in job.newest_first()[:100]],
            "allBuilds": lambda: [self.run(build) for build in job.newest_first()],
        }
        for name, wanted in _PERMALINKS.items():
            fields[name] = lambda wanted=wanted: self._or_none(
                self.run, newest(job, self.now, wanted)
            )
        return Exported(names.job_class(job), fields, ("name", "url", "color"))

    @staticmethod
    def _or_none(make: Callable[[Any], Exported], value: Any) -> Exported | None:
        return None if value is None else make(value)

    def queued(self, job: Pipeline) -> QueueItem | None:
        return next(
            (i for i in self.instance.queue.values() if i.waiting and i.pipeline is job), None
        )

    def color(self, job: Pipeline) -> str:
        if job.disabled:
            return "disabled"
        last = newest(job, self.now, None)
        ended = newest(job, self.now, script.FINAL)
        color = _COLORS[ended.at(self.now).state] if ended else "notbuilt"
        return f"{color}_anime" if last is not None and last is not ended else color

    def _properties(self, job: Pipeline) -> list[Exported]:
        declared = job.declared()
        if not declared:
            return []
        definitions = [definition(parameter) for parameter in declared]
        return [
            Exported(
                "hudson.model.ParametersDefinitionProperty",
                {"parameterDefinitions": definitions},
            )
        ]

    # --- runs -----------------------------------------------------------------------------------
    def run_url(self, build: Build) -> str:
        return f"{self.item_url(build.pipeline)}{build.number}/"

    def run(self, build: Build) -> Exported:
        seen = build.at(self.now)
        started = seen.started_at if seen.started_at is not None else build.created_at
        running = not seen.final
        title = f"#{build.number}"
        fields: dict[str, Any] = {
            "id": str(build.number),
            "number": build.number,
            "queueId": build.queue_id or -1,
            "url": self.run_url(build),
            "displayName": title,
            "fullDisplayName": f"{build.pipeline.name.replace('/', ' » ')} {title}",
            "description": build.message or None,
            "building": running,
            "inProgress": running,
            "result": self._result(build, running),
            "timestamp": millis(started),
            "duration": 0 if running else millis((seen.finished_at or started) - started),
            "estimatedDuration": self._estimate(build),
            "keepLog": False,
            "executor": None,
            "artifacts": [],
            "fingerprint": [],
            "actions": lambda: run_actions(build, self.now),
            "culprits": [],
            "previousBuild": lambda: self._neighbour(build, -1),
            "nextBuild": lambda: self._neighbour(build, 1),
        }
        if build.pipeline.kind == "freestyle":
            fields |= {"builtOn": "", "changeSet": _change_set("hudson.scm.EmptyChangeLogSet")}
        else:
            fields["changeSets"] = []
        return Exported(names.run_class(build), fields, ("number", "url"))

    @staticmethod
    def _estimate(build: Build) -> int:
        course = build.course
        return millis(sum(step.seconds for step in course.steps) / course.speed) or -1

    def _result(self, build: Build, running: bool) -> str | None:
        """A running build may have its bad result already."""
        seen = build.at(self.now)
        if not running:
            return RESULTS[seen.state]
        return "UNSTABLE" if any(r.state == script.UNSTABLE for r in seen.runs) else None

    def _neighbour(self, build: Build, way: int) -> Exported | None:
        found = build.pipeline.builds.get(build.number + way)
        return None if found is None else self.run(found)

    # --- queue ----------------------------------------------------------------------------------
    def queue_item(self, item: QueueItem) -> Exported:
        asked = "".join(f"\n{name}={value}" for name, value in item.ask.parameters.items())
        left = not item.waiting
        fields: dict[str, Any] = {
            "id": item.id,
            "actions": lambda: queue_actions(item),
            "blocked": item.blocked_by is not None and not left,
            "buildable": self._buildable(item),
            "stuck": False,
            "inQueueSince": millis(item.entered_at),
            "params": asked,
            "task": self.job(item.pipeline),
            "url": f"queue/item/{item.id}/",
            "why": None if left else self._why(item),
        }
        if left:
            build = item.build
            fields["cancelled"] = item.cancelled_at is not None
            fields["executable"] = None if build is None else (lambda: self.run(build))
            return Exported("hudson.model.Queue$LeftItem", fields)
        if self.now < item.quiet_until:
            fields["timestamp"] = millis(item.quiet_until)
            return Exported("hudson.model.Queue$WaitingItem", fields)
        fields["buildableStartMilliseconds"] = millis(item.quiet_until)
        if item.blocked_by is not None:
            return Exported("hudson.model.Queue$BlockedItem", fields)
        return Exported("hudson.model.Queue$BuildableItem", fields | {"pending": False})

    def _buildable(self, item: QueueItem) -> bool:
        return item.waiting and self.now >= item.quiet_until and item.blocked_by is None

    def _why(self, item: QueueItem) -> str:
        if self.now < item.quiet_until:
            return f"In the quiet period. Expires in {item.quiet_until - self.now:.1f} sec"
        if self.instance.options.get("quieting_down"):
            return "Jenkins is about to shut down"
        if item.blocked_by is not None:
            return f"Build #{item.blocked_by} is already in progress"
        return "Waiting for next available executor"


# What the permalinks of a job mean; None: whatever its state.
_PERMALINKS: dict[str, tuple[str, ...] | frozenset[str] | None] = {
    "lastBuild": None,
    "firstBuild": ("first",),
    "lastCompletedBuild": script.FINAL,
    "lastSuccessfulBuild": _GOOD,
    "lastStableBuild": (script.PASSED,),
    "lastUnstableBuild": (script.UNSTABLE,),
    "lastUnsuccessfulBuild": (*_BAD, script.UNSTABLE),
    "lastFailedBuild": (script.FAILED,),
}


def permalink(job: Pipeline, word: str, now: float) -> Build | None:
    """The build that `lastBuild` and the like stand for; None when there is none."""
    return newest(job, now, _PERMALINKS[word]) if word in _PERMALINKS else None


def newest(
    job: Pipeline, now: float, states: tuple[str, ...] | frozenset[str] | None
) -> Build | None:
    if states == ("first",):
        return job.builds[min(job.builds)] if job.builds else None
    for build in job.newest_first():
        if states is None or build.at(now).state in states:
            return build
    return None


def millis(seconds: float) -> int:
    return round(seconds * 1000)


def _change_set(cls: str) -> Exported:
    return Exported(cls, {"items": [], "kind": None})
