"""Which freezes there are, what they stop, and in which words they say so.

A freeze is judged like a role mapping's scope, by the same code. Nobody gets past one; broken
glass (glass.py) takes it out of the way. What it has covered since it was set stays covered: a
descriptor's author can move a service to another system, but not its pipelines out of the freeze.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.scopes import Scopes
from catalog.seen import KINDS, Seen
from pipelines.models import Freeze, Pipeline, PipelineLink
from pipelines.scopes import name_of, scopes_of_pipeline
from pipelines.seen import SeenBuilds
from portal.access import display_name
from portal.policy import Target
from portal.policy.facts import is_covered

KEPT = "It covered this pipeline before the catalog said otherwise, so it still does."
# Of these a descriptor says whether it lies in them.
MOVABLE = KINDS - {"everything"}


def not_over(now: datetime) -> QuerySet[Freeze]:
    """Those in force and those to come, the first to begin first."""
    found = Freeze.objects.filter(ends_at__gt=now).select_related("environment", "by")
    return found.order_by("starts_at", "pk")


def shown(freezes: Iterable[Freeze], seen: SeenBuilds) -> list[Freeze]:
    """Those about anything whose builds may be seen; two queries at most, none for who sees
    everything."""
    found = list(freezes)
    if seen.everything or not any(one.scope_ref for one in found):
        return found
    names = {
        str(one.pk): scopes_of_pipeline(one) for one in seen.pipelines().select_related("server")
    }
    return [one for one in found if not one.scope_ref or _is_about_any(one, names)]


def _is_about_any(freeze: Freeze, pipelines: Mapping[str, Scopes]) -> bool:
    """By what the freeze has noted (cover()), or by the names of servers and pipelines."""
    if freeze.scope_kind in MOVABLE:
        return not pipelines.keys().isdisjoint(freeze.covered)
    scopes = pipelines.values()
    return any(is_covered(freeze.scope_kind, freeze.scope_ref, one) for one in scopes)


def is_in_force(freeze: Freeze, now: datetime) -> bool:
    return freeze.starts_at <= now < freeze.ends_at


def concerns(freeze: Freeze, target: Target) -> bool:
    """Whether it is about this target, whatever the time."""
    environment = freeze.environment.slug if freeze.environment else target.environment
    covered = is_now_covered(freeze, target) or was_covered(freeze, target)
    return covered and environment == target.environment


def is_now_covered(freeze: Freeze, target: Target) -> bool:
    """Whether it lies in the scope, by what holds now."""
    return is_covered(freeze.scope_kind, freeze.scope_ref, target.scopes)


def was_covered(freeze: Freeze, target: Target) -> bool:
    """Whether its pipeline belonged to what lies in the scope, at any time since it was set."""
    return any(kind == "pipeline" and ref in freeze.covered_names for kind, ref in target.scopes)


@transaction.atomic
def cover(pipelines: Collection[int] | None = None, freezes: Collection[int] | None = None) -> None:
    """Notes which of these pipelines, or of all, the freezes that are not over cover by now: where
    links are decided, and again in the tick. Nothing is taken away. Only confirmed links count:
    else whoever names a pipeline in a descriptor would freeze it for its owners.
    """
    rows = Freeze.objects.filter(ends_at__gt=timezone.now(), scope_kind__in=MOVABLE)
    rows = rows if freezes is None else rows.filter(pk__in=freezes)
    for freeze in rows.select_for_update(no_key=True).order_by("pk"):
        entities = Seen(frozenset({(freeze.scope_kind, freeze.scope_ref)})).entities()
        links = PipelineLink.objects.filter(
            entity__in=entities, status=PipelineLink.Status.CONFIRMED
        )
        # Those that are known are named anew: the server may have renamed them.
        found = Pipeline.objects.filter(
            Q(pk__in=links.values("pipeline")) | Q(pk__in=freeze.covered)
        )
        found = found if pipelines is None else found.filter(pk__in=pipelines)
        names = {str(one.pk): name_of(one) for one in found.select_related("server")}
        if names.items() - freeze.covered.items():
            freeze.covered = {**freeze.covered, **names}
            freeze.save(update_fields=["covered"])


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


def sentence(freeze: Freeze, target: Target) -> str:
    """What it says to those whom it stops."""
    kept = "" if is_now_covered(freeze, target) else f" {KEPT}"
    return f"{said(freeze)}{kept} Ask again after that."


def utc(moment: datetime) -> str:
    """An exact time as pages and mails write it: "24 Nov 2026, 18:00 UTC"."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M} UTC"
