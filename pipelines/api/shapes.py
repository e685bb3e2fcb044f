"""How pipelines, builds, requests and decisions look as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from pipelines.inputs import fields_of, fillable, parameter_items
from pipelines.models import Build, Pipeline, Trigger
from pipelines.providers.base import Gate
from portal.policy import Decision

Json = dict[str, Any]


def decision(found: Decision) -> Json:
    """`effect` is allow, needs_approval or deny."""
    return {
        "effect": found.effect.value,
        "rule": found.rule,
        "reason": found.reason,
        "helpers": list(found.helpers),
    }


def decisions(found: Mapping[str, Decision]) -> Json:
    return {action: decision(one) for action, one in found.items()}


def name_of(pipeline: Pipeline) -> str:
    """As a request names it: the server's slug, and the pipeline's id there."""
    return f"{pipeline.server.slug}:{pipeline.external_id}"


def pipeline(row: Pipeline, environment: str) -> Json:
    """`environment` is where it takes effect without any choice made."""
    return {
        "pipeline": name_of(row),
        "name": row.name,
        "server": row.server.name,
        "defaultBranch": row.default_branch,
        "environment": environment,
        "parameters": [dict(item) for item in fields_of(row)],
        "url": row.web_url,
    }


def build(row: Build) -> Json:
    """Needs accounts.tell(). `person` is empty where nobody is known; `how` says how it began."""
    asked, starter = row.trigger, row.starter  # type: ignore[attr-defined]
    return {
        "id": row.pk,
        "pipeline": name_of(row.pipeline),
        "number": row.number,
        "state": row.state,
        "rawState": row.raw_state,
        "branch": row.branch,
        "commit": row.commit,
        "person": asked.actor_name if asked else starter.name,
        "agent": asked.agent if asked else "",
        "how": "through Stagedoor" if asked else starter.note,
        "queuedAt": _time(row.queued_at),
        "startedAt": _time(row.started_at),
        "finishedAt": _time(row.finished_at),
        "readAt": _time(row.observed_at),
        "trigger": str(asked.request_id) if asked else None,
        "links": {
            "self": address("pipelines_api:build", row.pk),
            "page": address("pipelines:build_detail", row.pk),
            "server": row.web_url,
        },
    }


def gate(found: Gate) -> Json:
    """What a waiting build asks for; passwords are left out, which nobody gives from here."""
    items = [dict(item) for item in fillable(parameter_items(found))]
    return {"id": found.id, "name": found.name, "message": found.message, "parameters": items}


def trigger(row: Trigger, given: int) -> Json:
    """`given` approvals so far."""
    build = getattr(row, "started_build", None)
    return {
        "id": str(row.request_id),
        "state": row.state,
        "stateLabel": row.get_state_display(),
        "message": row.message,
        "action": row.action,
        "entity": row.entity.ref if row.entity else None,
        "pipeline": name_of(row.pipeline),
        "environment": row.environment.slug if row.environment else "",
        "branch": row.branch,
        "commit": row.commit,
        "parameters": row.parameters,
        "subject": row.subject,
        "note": row.note,
        "person": row.actor_name,
        "agent": row.agent,
        "approvals": {
            "needed": row.approvals_needed,
            "given": given,
            "until": _time(row.approve_by),
        },
        "createdAt": _time(row.created_at),
        "about": row.build_id,
        "build": build.pk if build else None,
        "links": {
            "self": address("pipelines_api:trigger", row.request_id),
            "page": address("pipelines:trigger_detail", row.request_id),
        },
    }


def address(name: str, *args: Any) -> str:
    return f"{settings.PORTAL_URL}{reverse(name, args=args)}"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
