"""Where the links of a documentation page lead: to another page here, or to the host."""

from collections.abc import Collection
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urljoin, urlsplit

from django.urls import reverse

from catalog.docs.rendering import own_anchor
from catalog.links import safe_url
from catalog.models import DocPage, Entity
from portal.templatetags.ui import entity_url


def docs_url(entity: Entity, path: str = "") -> str:
    """The page's address; without a path, that of the first one. Empty where there can be none."""
    overview = entity_url(entity.ref)
    if not overview or not path:
        return f"{overview}docs/" if overview else ""
    names = [entity.namespace, entity.kind.lower(), entity.name, path]
    return reverse("catalog:entity_docs", args=names)


def resolve(entity: Entity, page: DocPage, paths: Collection[str], address: str) -> str:
    """A relative address in the page's text, as one to link to; empty when there is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    wanted = unquote(parts.path)
    own = _own_page(page.path, wanted, paths)
    if own:
        anchor = own_anchor(parts.fragment) if parts.fragment else ""
        return docs_url(entity, own) + anchor
    # Another file of the repository is shown by its host, where the file beside it is, too.
    return safe_url(urljoin(page.url, address)) if safe_url(page.url) else ""


def _own_page(here: str, wanted: str, paths: Collection[str]) -> str:
    if wanted.startswith("/"):
        path = normpath(wanted.lstrip("/") or ".")
    else:
        path = normpath(join(dirname(here), wanted))
    # README.md stands beside the docs' folder and is shown as if it lay inside.
    path = path.removeprefix("../")
    short = path.partition("/")[2] if here == "README.md" else ""
    for name in filter(None, (path, short)):
        for found in (name, f"{name}.md", f"{name}/index.md", f"{name}/README.md"):
            if found in paths:
                return found
    return ""
