"""The connection test: who the credential is and what can be found out about its rights.

Jenkins tells nobody's rights. What can be tried by reading is tried; that Job/Build and Job/Cancel
are held shows only when they are used.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import CheckResult
from pipelines.providers.errors import Forbidden, Misconfigured, NotAuthorized, NotFound
from pipelines.providers.jenkins.names import job_path
from pipelines.providers.jenkins.wire import JenkinsWire
from pipelines.providers.wire import mapping, mappings, text

# Pages that open only with rights that Stagedoor never uses; only their status is read.
PLUGINS = "/pluginManager/api/json"
CONFIGURATION = "/config.xml"


def check(wire: JenkinsWire) -> CheckResult:
    """Raises NotAuthorized for anonymous, Misconfigured where no Jenkins answers."""
    answer = wire.get("/whoAmI/api/json")
    who = mapping(wire.json(answer))
    version = answer.headers.get("X-Jenkins", "")
    if not version:
        raise Misconfigured("What answers there is no Jenkins: it sends no X-Jenkins header.")
    if who.get("authenticated") is not True or who.get("anonymous") is True:
        raise NotAuthorized("Jenkins takes the portal for an anonymous visitor.")
    name = text(who.get("name"))
    lacks: tuple[tuple[str, str], ...] = ()
    root: Mapping[str, Any] = {}
    try:
        root = wire.tree("", "quietingDown,jobs[name]{0,1}")
    except Forbidden:
        lacks = (("Overall/Read", "list jobs"),)
    return CheckResult(
        who=name,
        version=version,
        lacks=lacks,
        unused=tuple(_unused(wire, root)),
        notes=tuple(_notes(root, lacking=bool(lacks))),
        who_id=name,
    )


def _unused(wire: JenkinsWire, root: Mapping[str, Any]) -> list[tuple[str, str]]:
    held = []
    if _opens(wire, PLUGINS, "application/json", {"tree": "plugins[shortName]{0,1}"}):
        held.append(("Overall/Administer or Overall/SystemRead", "look into Jenkins itself"))
    first = next((text(job.get("name")) for job in mappings(root.get("jobs"))), "")
    if first and _opens(wire, job_path(first) + CONFIGURATION, "application/xml"):
        held.append(("Job/Configure or Job/ExtendedRead", "read or change how jobs are set up"))
    return held


def _opens(
    wire: JenkinsWire, path: str, content_type: str, params: Mapping[str, str] | None = None
) -> bool:
    """Whether a page is shown; its body, which may be large or private, is not read."""
    try:
        answer = wire.get(path, params, accept="*/*", max_bytes=0, truncate=True)
    except (Forbidden, NotFound):
        return False
    return answer.content_type == content_type


def _notes(root: Mapping[str, Any], *, lacking: bool) -> list[str]:
    notes = ["Jenkins does not tell when a token expires."]
    if not lacking and not mappings(root.get("jobs")):
        notes.append("It sees no job: either there is none, or Job/Read is lacking.")
    if root.get("quietingDown") is True:
        notes.append("Jenkins is about to shut down: what is started now waits in its queue.")
    notes.append(
        "Job/Build and Job/Cancel can't be asked for; they show at the first use. Of rights that "
        "are not needed only a few can be found out."
    )
    return notes
