"""Which form fields start a Jenkins job.

Jenkins drops a parameter that the job does not declare, without a word (SECURITY-170), and knows no
branch or commit of its own. So everything is checked here first: a build of another branch than
the one that was asked for must not start.
"""

from collections.abc import Sequence

from pipelines.providers.base import RemoteParameter, StartRequest
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import refuse_reserved, variables


def fill(
    request: StartRequest,
    declared: Sequence[RemoteParameter],
    *,
    branch_parameters: Sequence[str],
    commit_parameter: str,
    branch_is_job: bool,
) -> dict[str, str]:
    """The fields to send; empty when the job takes none. Raises Rejected for what won't fit.

    `branch_parameters` are tried in their order; `branch_is_job` says that the job itself is the
    branch (multibranch).
    """
    known = {parameter.name: parameter for parameter in declared}
    refuse_reserved(request.parameters, declared=known)
    fields = dict(request.parameters)
    name = branch_parameter(declared, branch_parameters)
    if request.branch and not branch_is_job:
        _put(fields, name, request.branch, "branch")
    elif name in fields:
        # Policy judges the branch; a second way to say it would get past policy.
        raise Rejected(f"{name} is the branch: give it as the branch, not as a parameter.")
    if request.commit:
        _put(
            fields, commit_parameter if commit_parameter in known else "", request.commit, "commit"
        )
    undeclared = sorted(fields.keys() - known.keys())
    if undeclared:
        declares = ", ".join(known) or "none (a new branch declares its own after its first run)"
        raise Rejected(
            f"The job does not declare {', '.join(undeclared)}, and Jenkins would drop it. "
            f"Declared: {declares}."
        )
    for name, value in fields.items():
        choices = known[name].choices
        if choices and value not in choices:
            raise Rejected(f"{name} must be one of {', '.join(choices)}.")
    labels = variables(request)
    return fields | {name: value for name, value in labels.items() if name in known}


def branch_parameter(declared: Sequence[RemoteParameter], tried: Sequence[str]) -> str:
    """The declared parameter that takes the branch, empty when there is none."""
    names = {parameter.name for parameter in declared}
    return next((name for name in tried if name in names), "")


def _put(fields: dict[str, str], name: str, value: str, what: str) -> None:
    if not name:
        raise Rejected(
            f"The job declares no parameter for the {what}, so it can't be chosen. Leave it empty, "
            f'or name the parameter in the server\'s option "{what}_parameter".'
        )
    if fields.get(name, value) != value:
        raise Rejected(f"{name} names another {what} than the one that was asked for.")
    fields[name] = value
