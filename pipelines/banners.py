"""What a page says before one clicks: freezes that concern it, and broken glass (`page_panels`)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from catalog.models import Entity
from catalog.scopes import Scopes
from pipelines import glass
from pipelines.facts import Facts, facts_of
from pipelines.freezes import concerns, is_in_force, not_over, shown
from pipelines.models import BrokenGlass, Freeze
from pipelines.panels import Panels, PipelineRow, desk_of
from pipelines.scopes import scopes_of_pipeline
from pipelines.seen import seen_builds
from portal.guard import actor_of
from portal.policy import Actor, Target

# A freeze is announced on pages so long before it begins.
ANNOUNCED = timedelta(days=3)
MAX_REVIEWS = 50


def page_panels(place: str, request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """Hook: the html of each object for this place; places that are not ours get nothing."""
    panel = PLACES.get(place)
    return panel(request, objects) if panel else {}


def service_banners(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """Freezes in force and announced, and glass that is open or was not reviewed yet."""
    found: Panels = {}
    now = timezone.now()
    for entity in objects:
        desk = desk_of(request, entity)
        if desk.seen.allowed and desk.facts is not None:
            context = {**_freezes_of(desk.facts, desk.rows, now), **_glass_of(desk.facts, now)}
            if any(context.values()):
                found[entity.pk] = render_to_string("pipelines/_banners.html", context, request)
    return found


def _freezes_of(
    facts: Facts, rows: Iterable[PipelineRow], now: datetime
) -> dict[str, list[Freeze]]:
    """Those about the service or one of its pipelines, in any environment."""
    scopes = facts.scopes.union(*(scopes_of_pipeline(row.pipeline) for row in rows))
    mine = [freeze for freeze in facts.freezes if _is_about(freeze, scopes)]
    return {
        "frozen": [freeze for freeze in mine if is_in_force(freeze, now)],
        "announced": [freeze for freeze in mine if now < freeze.starts_at <= now + ANNOUNCED],
    }


def _is_about(freeze: Freeze, scopes: Scopes) -> bool:
    environment = freeze.environment.slug if freeze.environment else ""
    return concerns(freeze, Target("", scopes, environment))


def _glass_of(facts: Facts, now: datetime) -> dict[str, list[BrokenGlass]]:
    closed = [one for one in facts.glass if not glass.is_open(one, now)]
    return {
        "open": [one for one in facts.glass if glass.is_open(one, now)],
        "waiting": [one for one in closed if not glass.is_overdue(one, now)],
        "overdue": [one for one in closed if glass.is_overdue(one, now)],
    }


def home(request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """Freezes in force, and how much broken glass waits for this person's word."""
    seen = seen_builds(request)
    if seen.nothing:
        return {}
    now = timezone.now()
    context = {
        "frozen": shown(not_over(now).filter(starts_at__lte=now), seen),
        "reviews": _to_review(actor_of(request), now),
    }
    if not any(context.values()):
        return {}
    html = render_to_string("pipelines/_home_banners.html", context, request)
    return {user.pk: SafeString(html) for user in objects}


def _to_review(actor: Actor, now: datetime) -> list[BrokenGlass]:
    """What waits for a second person, and this one may be it."""
    if not any(glass.REVIEW in grant.permissions for grant in actor.grants):
        return []
    rows = BrokenGlass.objects.filter(reviewed_at=None, ends_at__lte=now)
    rows = rows.exclude(by=actor.user_id).select_related(
        "entity__source", "environment__approver_role", "by"
    )
    return list(_reviewable(actor, rows.order_by("review_by")[:MAX_REVIEWS]))


def _reviewable(actor: Actor, rows: Iterable[BrokenGlass]) -> Iterable[BrokenGlass]:
    facts: dict[int | None, Facts] = {}
    for row in rows:
        if row.entity_id not in facts:
            facts[row.entity_id] = facts_of(row.entity, [])
        if glass.may_review(actor, row, facts[row.entity_id]).allowed:
            yield row


PLACES: dict[str, Callable[[HttpRequest, Any], Panels]] = {
    "service_banners": service_banners,
    "home": home,
}
