"""The words of freezes and of broken glass on pages."""

from datetime import datetime

from django import template
from django.contrib.auth.models import User
from django.utils.html import format_html
from django.utils.safestring import SafeString

from pipelines import freezes
from pipelines.models import Freeze
from portal.access import display_name
from portal.templatetags.ui import short_ref

register = template.Library()
register.filter("said", freezes.said)
register.filter("short", short_ref)


@register.filter
def where(freeze: Freeze) -> str:
    """What it freezes."""
    return freezes.where(freeze)


@register.filter
def utc(moment: datetime) -> SafeString:
    """The exact time, for what people plan by: "24 Nov 2026, 18:00 UTC"."""
    return format_html(
        '<time datetime="{}" class="nowrap">{}</time>', moment.isoformat(), freezes.utc(moment)
    )


@register.filter
def person(user: User | None) -> str:
    """As people know them."""
    return display_name(user) if user else "somebody"
