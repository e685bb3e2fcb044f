"""Markdown to HTML that may stand on our pages, and its outline.

Whoever may push to some repository writes this text. So what the Markdown library makes of it goes
through nh3, which lets a list of tags and attributes through and closes what was left open; the
content security policy stands behind that. Pictures are not loaded: their words stay, as a link.
"""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.admon import admon_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.gfm import gfm_plugin

from catalog.highlight import lines_of

# A longer page is shown as it is written: time grows with it, in the worst case faster than it.
MAX_RENDERED = 100_000
MAX_LINE = 10_000
MAX_PARAGRAPH = 10_000
MAX_TOKENS = 25_000
# At each colon, all of the paragraph before it is searched for the beginning of an address.
MAX_SEARCHED = 15_000_000
MAX_HTML = 1_000_000
MAX_OUTLINE = 200
OUTLINE_LEVELS = (1, 2, 3)
ID_PREFIX = "doc-"  # so that no heading takes the id of a part of our page

_TAGS = """
    a abbr b blockquote br caption code dd del details div dl dt em h2 h3 h4 h5 h6 hr i ins
    kbd li mark ol p pre q s samp section small span strong sub summary sup
    table tbody td tfoot th thead tr u ul var
"""
TAGS = set(_TAGS.split())
ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "div": {"tabindex"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
CLASSES = {
    "div": {"table-wrap", "admonition", "markdown-alert"},
    "li": {"task-list-item"},
    "p": {"admonition-title", "markdown-alert-title"},
    "span": {f"code__{name}" for name in ("comment", "key", "value", "type", "word", "text")},
    "table": {"table"},
}
# What people write behind ``` -> Pygments' name; its words are not taken from a page.
_PYGMENTS = """
    bash c cpp css diff docker go graphql groovy html http ini java javascript json kotlin make php
    protobuf python ruby rust scala sql swift terraform toml typescript xml yaml
"""
_SHORT = {"console": "bash", "sh": "bash", "shell": "bash", "yml": "yaml", "js": "javascript"}
_SHORT |= {"ts": "typescript", "py": "python", "dockerfile": "docker", "hcl": "terraform"}
LANGUAGES = {name: name for name in _PYGMENTS.split()} | _SHORT
MAX_COLOURED = 20_000
OUR_ID = re.compile(r"(?:doc-[\w-]{1,80}|fn(?:ref)?\d{1,4}(?:[-:]\d{1,4})?)", re.ASCII)
# Stops at each "<", so that a thousand unclosed ones cost a thousand steps and no more.
IMAGE_TAG = re.compile(r"<img\b[^<>]*>", re.IGNORECASE)

Resolve = Callable[[str], str]


@dataclass(frozen=True)
class Heading:
    """A heading of a page, for its outline."""

    level: int
    id: str
    title: str


@dataclass(frozen=True)
class Rendered:
    """A page's text as safe HTML. `plain`: too large to be laid out, so it is text only."""

    html: str
    outline: tuple[Heading, ...] = ()
    plain: bool = False


class _TooMuch(Exception):
    """Laying it out would take too long."""


@dataclass
class _Page:
    """What one rendering gathers; passed through the parser's env."""

    headings: list[Heading] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)


def render(text: str, resolve: Resolve) -> Rendered:
    """`resolve` turns a relative address into the one to link to; empty: no link."""
    page = _Page()
    tokens = _parsed(text, page)
    made = _parser().renderer.render(tokens, _parser().options, {"page": page})
    if (text and not tokens) or len(made) > MAX_HTML:
        return Rendered(f'<pre tabindex="0">{html.escape(text)}</pre>', plain=True)
    outline = [heading for heading in page.headings if heading.level in OUTLINE_LEVELS]
    return Rendered(_clean(made, resolve), tuple(outline[:MAX_OUTLINE]))


def _parsed(text: str, page: _Page) -> list[Token]:
    """Empty where it would take too long; time grows faster than the length of a paragraph."""
    if len(text) > MAX_RENDERED or any(len(line) > MAX_LINE for line in text.split("\n")):
        return []
    try:
        return _parser().parse(text, {"page": page})
    except _TooMuch:
        return []


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 20, "highlight": _coloured})
    parser.use(gfm_plugin).use(front_matter_plugin).use(admon_plugin)
    parser.options["tasklists"] = False  # ours have no form controls
    parser.core.ruler.before("inline", "bounds", _bound)
    parser.core.ruler.push("stagedoor", _rewrite)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _bound(state: StateCore) -> None:
    texts = [token.content for token in state.tokens if token.type == "inline"]
    longest = max(map(len, texts), default=0)
    searched = sum(text.count(":") * len(text) for text in texts)
    if longest > MAX_PARAGRAPH or len(state.tokens) > MAX_TOKENS or searched > MAX_SEARCHED:
        raise _TooMuch


def _rewrite(state: StateCore) -> None:
    page: _Page = state.env["page"]
    for position, token in enumerate(state.tokens):
        if token.type == "heading_open":
            _name_heading(token, state.tokens[position + 1].children or (), page)
            _lower(token)
        elif token.type == "heading_close":
            _lower(token)
        elif token.type == "inline" and token.children:
            token.children = list(_without_pictures(token.children))
            _mark_task(token, state.tokens[max(0, position - 2) : position])
        elif token.type == "html_block":
            token.content = _pictures_to_links(token.content)


def _name_heading(token: Token, children: Sequence[Token], page: _Page) -> None:
    title = _words(children)
    slug = slug_of(title) or "section"
    count = page.ids[slug] = page.ids.get(slug, 0) + 1
    name = f"{ID_PREFIX}{slug}" + (f"-{count - 1}" if count > 1 else "")
    token.attrSet("id", name)
    if title:
        page.headings.append(Heading(int(token.tag[1:]), name, title))


def _lower(token: Token) -> None:
    """Our page has an H1 already."""
    token.tag = f"h{min(6, int(token.tag[1:]) + 1)}"


def slug_of(title: str) -> str:
    """As GitHub names a heading, in ASCII letters."""
    words = re.sub(r"[^\w\- ]", "", title.lower(), flags=re.ASCII).strip()
    return words.replace(" ", "-")[:70].strip("-")


def _words(children: Iterable[Token]) -> str:
    texts = (
        _words(child.children or ()) if child.type == "image" else child.content
        for child in children
        if child.type in {"text", "code_inline", "image", "softbreak"}
    )
    return " ".join("".join(text or " " for text in texts).split())[:200]


def _without_pictures(children: Sequence[Token]) -> Iterable[Token]:
    depth = 0
    for child in children:
        depth += child.nesting if child.type in {"link_open", "link_close"} else 0
        if child.type == "image":
            yield from _as_link(child, inside_link=depth > 0)
        else:
            if child.type == "html_inline":
                child.content = _pictures_to_links(child.content)
            yield child


def _as_link(image: Token, inside_link: bool) -> Iterable[Token]:
    address = str(image.attrGet("src") or "")
    words = _words(image.children or ()) or address.rpartition("/")[2] or "picture"
    text = Token("text", "", 0, content=words)
    if inside_link:
        yield text
        return
    yield Token("link_open", "a", 1, attrs={"href": address})
    yield text
    yield Token("link_close", "a", -1)


class _Image(HTMLParser):
    """The words and the address of one <img>."""

    link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        source = found.get("src") or ""
        words = found.get("alt") or source.rpartition("/")[2] or "picture"
        self.link = f'<a href="{html.escape(source)}">{html.escape(words)}</a>'


def _pictures_to_links(text: str) -> str:
    def link(match: re.Match[str]) -> str:
        parser = _Image()
        parser.feed(match[0])
        return parser.link

    return IMAGE_TAG.sub(link, text)


def _mark_task(inline: Token, before: Sequence[Token]) -> None:
    """ "[ ] " and "[x] " at the start of a list item become a box that says so."""
    starts = [token.type for token in before] == ["list_item_open", "paragraph_open"]
    first = inline.children[0] if inline.children else None
    if not starts or first is None or first.type != "text":
        return
    for sign, box in (("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")):
        if first.content.startswith(sign):
            first.content = box + first.content[len(sign) :]
            before[0].attrSet("class", "task-list-item")


def _coloured(text: str, language: str, attributes: str) -> str:
    known = LANGUAGES.get(language.lower(), "") if len(text) <= MAX_COLOURED else ""
    return "\n".join(lines_of(text, known)) if known else ""


def _table_open(*arguments: Any) -> str:
    return '<div class="table-wrap" tabindex="0"><table class="table">\n'


def _table_close(*arguments: Any) -> str:
    return "</table></div>\n"


def _clean(made: str, resolve: Resolve) -> str:
    return nh3.clean(
        made,
        tags=TAGS,
        clean_content_tags={"script", "style"},
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        attribute_filter=_attribute,
        set_tag_attribute_values={"pre": {"tabindex": "0"}},
        url_schemes={"http", "https", "mailto"},
        url_relative=lambda address: _relative(address, resolve),
        link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes=set(),
        strip_comments=True,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "id":
        return value if OUR_ID.fullmatch(value) else None
    if name == "tabindex":
        return "0"  # what is wider than the page can be scrolled by keys
    return value


def _relative(address: str, resolve: Resolve) -> str | None:
    if address.startswith("#"):
        return own_anchor(address[1:])
    # Browsers read a backslash as a slash and skip control characters: such an address is a trick.
    if "\\" in address or not address.isprintable() or address.startswith("//"):
        return None
    return resolve(address) or None


def own_anchor(fragment: str) -> str:
    """A fragment as it stands in the text, as the id that the heading has here."""
    if OUR_ID.fullmatch(fragment):
        return f"#{fragment}"
    return f"#{ID_PREFIX}{slug_of(fragment)}"
