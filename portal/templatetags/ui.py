"""The words of every page: state badges, times, entity links and panels from the rooms above.

A template built-in (see settings.TEMPLATES), so that no template has to load it.
`static/css/README.md` shows each tag in use.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote

from django import template
from django.db.models import Model
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal import hooks
from portal.explain import explain
from portal.policy import Decision

register = template.Library()

NOT_DRAWN = mark_safe(
    '<p class="notice notice--error">A part of this page could not be drawn. The log says why.</p>'
)
STATES = ("queued", "running", "waiting", "passed", "failed", "cancelled", "skipped", "unknown")
# What Django's reverse() leaves as it is.
URL_SAFE = "!$&'()*+,;=/~:@"
MINUTE, HOUR, DAY = 60, 3600, 86400
# Older than this, a date says more than a number of days.
DATE_AFTER_DAYS = 30


# --- States and icons ------------------------------------------------------------------------
@register.simple_tag
def state_badge(state: str, raw: str = "", extra: str = "", word: str = "") -> SafeString:
    """Word, shape and colour of a build state; a word we do not list is `unknown`, never green.

    `raw` is the vendor's own word, shown on hover; `extra` is one more class, as `state--large`;
    `word` stands there for the state of what is no build.
    """
    known = state if state in STATES else "unknown"
    title = f"The server says “{raw}”" if raw and raw != known else ""
    return format_html(
        '<span class="state state--{0}{1}"{2}>'
        '<svg width="16" height="16" aria-hidden="true" focusable="false">'
        '<use href="#state-{0}"/></svg>{3}</span>',
        known,
        f" {extra}" if extra else "",
        format_html(' title="{}"', title) if title else "",
        word or known,
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape of templates/portal/_sprite.html; it is decoration, the words stand beside it."""
    return format_html(
        '<svg width="16" height="16" aria-hidden="true" focusable="false">'
        '<use href="#icon-{}"/></svg>',
        name,
    )


# --- Times -----------------------------------------------------------------------------------
def span(seconds: float, *, fine: bool = False) -> str:
    """A length of time in its largest unit, "3 h"; `fine` adds the next one, "3 h 5 min"."""
    total = max(0, round(seconds))
    if total < MINUTE:
        return f"{total} s"
    if total < HOUR:
        rest = total % MINUTE if fine else 0
        return f"{total // MINUTE} min" + (f" {rest} s" if rest else "")
    if total < DAY:
        rest = total % HOUR // MINUTE if fine else 0
        return f"{total // HOUR} h" + (f" {rest} min" if rest else "")
    days = total // DAY
    return f"{days} day" + ("" if days == 1 else "s")


def _moment(value: datetime, words: str) -> SafeString:
    exact = format_date(timezone.localtime(value), "j M Y, H:i:s T")
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, words)


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """`<time>` relative to now, "3 min ago" or "in 2 h"; a date beyond 30 days; None is "never"."""
    if value is None:
        return "never"
    seconds = (timezone.now() - value).total_seconds()
    if abs(seconds) > DATE_AFTER_DAYS * DAY:
        return _moment(value, format_date(timezone.localtime(value), "j M Y"))
    return _moment(value, f"in {span(-seconds)}" if seconds <= -1 else f"{span(seconds)} ago")


@register.filter
def age(value: datetime | None) -> SafeString | str:
    """`<time>` with the time passed since, "34 min", for sentences like "Broken for 34 min"."""
    if value is None:
        return "an unknown time"
    return _moment(value, span((timezone.now() - value).total_seconds()))


@register.filter
def duration(seconds: float | None) -> str:
    """How long something took, in two units: "4 min 12 s"; None is empty."""
    if seconds is None:
        return ""
    return span(seconds, fine=True)


# --- Entities --------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def entity_url(ref: str) -> str:
    """The page of the entity "kind:namespace/name"; empty where no page can have that name."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    parts = (namespace, kind, name)
    if not all(parts) or "/" in kind + name:
        return ""
    return _entity_pattern() % tuple(quote(part, safe=URL_SAFE) for part in parts)


@cache
def _entity_pattern() -> str:
    """The address as a format: a list links a hundred entities, and reverse() takes its time."""
    return str(reverse("catalog:entity_detail", args=["0", "1", "2"])).replace("0/1/2", "%s/%s/%s")


def short_ref(ref: str) -> str:
    """The ref as people say it: without its kind, and without the default namespace."""
    return ref.partition(":")[2].removeprefix("default/") or ref


@register.simple_tag
def ref_link(ref: str, title: str = "") -> SafeString:
    """A link to the entity's page, its text the title or else the short ref."""
    words = title or short_ref(ref)
    url = entity_url(ref)
    if not url:
        return conditional_escape(words)
    return format_html('<a href="{}" title="{}">{}</a>', url, ref, words)


@register.simple_tag
def entity_link(entity: Any) -> SafeString:
    """A link to an entity that is at hand: anything with `ref` and a name as its text."""
    return ref_link(entity.ref, str(entity))


@register.filter
def entity_href(ref: str) -> str:
    """The address of an entity's page, for a link that holds more than its name."""
    return entity_url(ref)


# --- Panels ----------------------------------------------------------------------------------
def collect_panels(place: str, request: Any, objects: Iterable[Model]) -> dict[Any, SafeString]:
    """What the rooms above add to `place`: {pk: html}, one call of each room for all objects."""
    items = list(objects)
    merged: dict[Any, SafeString] = {}
    if not items:
        return merged
    for answer in hooks.page_panels.answers(place, request, items):
        # Nothing at all in the place of what failed would look as if there were nothing.
        failed = answer is hooks.FAILED
        found = {item.pk: NOT_DRAWN for item in items} if failed else answer or {}
        for pk, html in found.items():
            merged[pk] = merged.get(pk, SafeString()) + conditional_escape(html)
    return merged


@register.simple_tag(takes_context=True)
def panel(context: Context, place: str, item: Model) -> SafeString:
    """The html that the rooms above add to `place` for one object; empty when none does."""
    found = collect_panels(place, context.get("request"), [item])
    return found.get(item.pk, mark_safe(""))


@register.simple_tag(takes_context=True)
def panels(context: Context, place: str, items: Iterable[Model]) -> dict[Any, SafeString]:
    """As `panel`, for a list in one call; read one with `{{ found|get:object.pk }}`."""
    return collect_panels(place, context.get("request"), items)


@register.filter
def get(mapping: Mapping[Any, Any] | None, key: Any) -> Any:
    """`mapping[key]`, or empty."""
    return (mapping or {}).get(key, "")


# --- Denials ---------------------------------------------------------------------------------
@register.inclusion_tag("portal/_why.html", takes_context=True)
def why(  # noqa: PLR0917  what pages give by name
    context: Context,
    decision: Decision,
    id: str = "",
    lead: str = "",
    notice: bool = False,
    way_out: str = "",
) -> dict[str, Any]:
    """Why something may not be done, who can help, and the smallest change that would help.

    `id` is for a button's aria-describedby, `lead` begins the sentence, `notice` frames it.
    `way_out` is where the person may break the glass.
    """
    found = explain(decision, context.get("request"))
    return {
        "decision": decision,
        "suggestion": found.suggestion,
        "url": found.url,
        "id": id,
        "lead": lead,
        "notice": notice,
        "way_out": way_out,
    }


@register.simple_tag(takes_context=True)
def smallest_change(context: Context, decision: Decision) -> str:
    """Only the sentence, for where there is no room for more."""
    return explain(decision, context.get("request")).suggestion
