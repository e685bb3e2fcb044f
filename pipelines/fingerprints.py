"""What approvals are bound to: a digest of all that would be sent, and what has changed since."""

import hashlib
import json
from collections.abc import Iterator

from pipelines.effects import Effect
from pipelines.models import Environment, Trigger

ASK_AGAIN = "Ask again."


def fingerprint(trigger: Trigger, effect: Effect) -> str:
    """Of the request as it would be sent by that effect: two that differ in anything are two."""
    what = {
        "action": trigger.action,
        "pipeline": [trigger.pipeline.server.slug, trigger.pipeline.external_id],
        "service": trigger.entity.ref if trigger.entity else "",
        "environment": _slug(effect.environment),
        "branch": effect.branch,
        "commit": commit_of(trigger, effect),
        "unpinned": trigger.unpinned,
        "parameters": effect.parameters,
        "subject": [trigger.subject, trigger.subject_name],
        "build": trigger.build.external_id if trigger.build else "",
    }
    written = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def commit_of(trigger: Trigger, effect: Effect) -> str:
    """The commit that is approved. The server is not told one that it can't be pinned to."""
    return trigger.commit if trigger.unpinned else effect.commit


def change(trigger: Trigger, effect: Effect) -> str:
    """What is no longer as it was when it was asked for, as a sentence; "" when nothing is, and
    for a request that needs nobody's approval."""
    if not trigger.fingerprint:
        return ""
    needed = effect.approvals
    if fingerprint(trigger, effect) != trigger.fingerprint:
        named = ", ".join(_differing(trigger, effect)) or "the pipeline"
        return f"Changed since it was asked for: {named}. {ASK_AGAIN}"
    if needed > trigger.approvals_needed:
        return f"{effect.asking} asks for {needed} approvals now. {ASK_AGAIN}"
    return ""


def _differing(trigger: Trigger, effect: Effect) -> Iterator[str]:
    """In words, as far as the row tells what it was."""
    before, now = trigger.environment, effect.environment
    if _slug(before) != _slug(now):
        yield f"it takes effect in {now or 'no environment'}, not in {before or 'none'}"
    if trigger.branch != effect.branch:
        yield f"the branch is {effect.branch or 'not known'}, not {trigger.branch or 'unknown'}"
    if trigger.commit != commit_of(trigger, effect):
        yield "the commit is another one"
    names = sorted({*trigger.parameters, *effect.parameters})
    for name in names:
        if trigger.parameters.get(name) != effect.parameters.get(name):
            yield f"the parameter {name}"


def _slug(environment: Environment | None) -> str:
    return environment.slug if environment else ""
