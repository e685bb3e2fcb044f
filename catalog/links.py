"""Links that a descriptor's author wrote: shown as links only where a click is harmless."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from catalog.models import Entity

SCHEMES = {"http", "https", "mailto"}


@dataclass(frozen=True)
class Link:
    """A text and where it leads; `url` is empty where the address must not become a link."""

    title: str
    url: str


def safe_url(address: object) -> str:
    """The address if it is an http, https or mailto URL without tricks, else empty."""
    if not isinstance(address, str):
        return ""
    text = address.strip()
    if not text.isprintable() or any(character in text for character in ' <>"\\'):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme.lower() not in SCHEMES:
        return ""
    return text if parts.scheme.lower() == "mailto" or parts.hostname else ""


def links_of(entity: Entity) -> list[Link]:
    """metadata.links, in the author's order."""
    return [
        Link(str(item.get("title") or item.get("url") or ""), safe_url(item.get("url")))
        for item in _mappings(entity.metadata.get("links"))
        if item.get("url")
    ]


def contact_of(team: Entity) -> list[Link]:
    """How to reach a team or person: the profile's address, then the entity's own links."""
    profile = team.spec.get("profile")
    email = profile.get("email") if isinstance(profile, dict) else None
    reach = [Link(email, safe_url(f"mailto:{email}"))] if isinstance(email, str) and email else []
    return reach + links_of(team)


def _mappings(value: Any) -> Iterable[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
