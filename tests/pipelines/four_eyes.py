"""What tests of approvals and freezes begin with: an environment that has them, and people."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from pipelines import approvals
from pipelines.models import Build, Environment, Freeze, PipelineLink, Trigger
from pipelines.targets import decide_for
from pipelines.triggers import Outcome, request
from portal.access import actor_for
from portal.policy import Decision
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

COMMIT = "c0ffee" + "0" * 34


def make_guarded(approvals_needed: int = 1, **fields: Any) -> Environment:
    """Production, which asks for approvals; the strictest, so everything else is there."""
    _, production = make_environments()
    values = {"approvals": approvals_needed, **fields}
    Environment.objects.filter(pk=production.pk).update(**values)
    production.refresh_from_db()
    return production


def make_link(sandbox: Any, server_at: Any, **pipeline: Any) -> PipelineLink:
    """A service's Buildkite pipeline, which can be told what commit to build."""
    sandbox.buildkite.pipeline("acme/shop")
    server = server_at(sandbox.buildkite)
    return confirmed_link(make_service("shop"), make_pipeline(server, "acme/shop", **pipeline))


def ask(user: User, link: PipelineLink, action: str = "start", **fields: Any) -> Outcome:
    about = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    given = {"commit": COMMIT} if action == "start" else {}
    return request(user, action, **{**about, **given, **fields})


def asked(user: User, link: PipelineLink, **fields: Any) -> Trigger:
    trigger = ask(user, link, **fields).trigger
    assert trigger is not None
    return trigger


def approve(user: User, trigger: Trigger, verdict: str = "approve", comment: str = "") -> str:
    """With what stands on the page now."""
    seen = Trigger.objects.get(pk=trigger.pk).fingerprint
    return approvals.give(user, trigger, verdict, comment=comment, seen=seen)


def freeze(environment: Environment | None = None, **fields: Any) -> Freeze:
    """In force since an hour ago and for one more."""
    now, hour = timezone.now(), timedelta(hours=1)
    values = {"starts_at": now - hour, "ends_at": now + hour, "reason": "Year-end close."}
    return Freeze.objects.create(environment=environment, **{**values, **fields})


def decided(
    user: User, link: PipelineLink, action: str = "start", build: Build | None = None
) -> Decision:
    return decide_for(actor_for(user), action, link.entity, link.pipeline, build=build)


def people(*names: str, role: str = "deployer") -> list[User]:
    return [make_person(name, role) for name in names]
