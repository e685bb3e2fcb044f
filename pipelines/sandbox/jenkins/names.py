"""Jenkins' item names, URLs and `_class` words."""

from urllib.parse import quote, unquote

from ..engine import Instance
from ..objects import Build, Folder, Pipeline

WORKFLOW_JOB = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
WORKFLOW_RUN = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
FREESTYLE_JOB = "hudson.model.FreeStyleProject"
FREESTYLE_RUN = "hudson.model.FreeStyleBuild"
FOLDER_CLASSES = {
    "folder": "com.cloudbees.hudson.plugins.folder.Folder",
    "multibranch": "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject",
    "organization": "jenkins.branch.OrganizationFolder",
}


def path_of(full_name: str) -> str:
    """`A/B` as `job/A/job/B/`, each segment encoded once more."""
    parts = [part for part in full_name.split("/") if part]
    return "".join(f"job/{quote(part, safe='')}/" for part in parts)


def find(instance: Instance, names: list[str]) -> Pipeline | Folder | None:
    """The item that decoded URL segments name; a branch name decoded once too often is found."""
    found = _find(instance, "/".join(names))
    if found is None and names:
        found = _find(instance, "/".join(encode_branch(name) for name in names))
    return found


def _find(instance: Instance, full_name: str) -> Pipeline | Folder | None:
    return instance.pipelines.get(full_name) or instance.folders.get(full_name)


def display_name(item: Pipeline | Folder) -> str:
    if isinstance(item, Pipeline):
        return item.title or item.branch or item.short_name
    return unquote(item.name.rsplit("/", 1)[-1])


def job_class(item: Pipeline | Folder) -> str:
    if isinstance(item, Folder):
        return FOLDER_CLASSES[item.kind]
    return FREESTYLE_JOB if item.kind == "freestyle" else WORKFLOW_JOB


def run_class(build: Build) -> str:
    return FREESTYLE_RUN if build.pipeline.kind == "freestyle" else WORKFLOW_RUN


def encode_branch(branch: str) -> str:
    """The item name of a branch's job (NameEncoder of Jenkins' branch-api plugin)."""
    if branch in (".", ".."):
        return branch.replace(".", "%2E")
    return "".join(f"%{ord(c):02X}" if c in '/\\%#?[];:*<>|"' else c for c in branch)
