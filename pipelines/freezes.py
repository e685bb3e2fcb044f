"""Which freezes there are, what they stop, and in which words they say so.

A freeze is judged like a role mapping's scope, by the same code. Nobody gets past one; broken
glass (glass.py) takes it out of the way.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import QuerySet

from pipelines.models import Freeze
from portal.access import display_name
from portal.policy import Target
from portal.policy.facts import is_covered


def not_over(now: datetime) -> QuerySet[Freeze]:
    """Those in force and those to come, the first to begin first."""
    found = Freeze.objects.filter(ends_at__gt=now).select_related("environment", "by")
    return found.order_by("starts_at", "pk")


def is_in_force(freeze: Freeze, now: datetime) -> bool:
    return freeze.starts_at <= now < freeze.ends_at


def concerns(freeze: Freeze, target: Target) -> bool:
    """Whether it is about this target, whatever the time."""
    environment = freeze.environment.slug if freeze.environment else target.environment
    covered = is_covered(freeze.scope_kind, freeze.scope_ref, target.scopes)
    return covered and environment == target.environment


def in_force(freezes: Iterable[Freeze], target: Target, now: datetime) -> Freeze | None:
    """What stops the target now: of several freezes the one that lasts longest."""
    stopping = [one for one in freezes if is_in_force(one, now) and concerns(one, target)]
    return max(stopping, key=lambda freeze: freeze.ends_at, default=None)


def where(freeze: Freeze) -> str:
    """What is frozen: "Production", or "system:default/payments in every environment"."""
    if not freeze.scope_ref:
        return str(freeze.environment or "Every environment")
    return f"{freeze.scope_ref} in {freeze.environment or 'every environment'}"


def said(freeze: Freeze) -> str:
    """Until when, who set it, and why."""
    by = f" (set by {display_name(freeze.by)})" if freeze.by else ""
    why = freeze.reason.rstrip(". ")
    return f"{where(freeze)} is frozen until {utc(freeze.ends_at)}: {why}{by}."


def sentence(freeze: Freeze) -> str:
    """What it says to those whom it stops."""
    return f"{said(freeze)} Ask again after that."


def utc(moment: datetime) -> str:
    """An exact time as pages and mails write it: "24 Nov 2026, 18:00 UTC"."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M} UTC"
