"""Text in colours, line by line, for pages that show YAML, JSON, GraphQL or protobuf.

Pygments finds the tokens; a handful of classes in catalog.css gives them our own tones. Whoever
writes a descriptor decides what is in it, so only texts of a bounded size and shape are looked at.
"""

from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import groupby

from django.utils.safestring import SafeString, mark_safe
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

# Longer texts, and texts with longer lines, stay without colours.
MAX_CHARACTERS = 60_000
MAX_LINE = 2_000

# The first that fits; Pygments' tokens are a tree, "in" asks whether one is below another.
_CLASSES = (
    (Comment, "comment"),
    (Name.Tag, "key"),
    (Name.Attribute, "key"),
    (Keyword.Constant, "value"),
    (Keyword.Type, "type"),
    (Keyword, "word"),
    (Name.Class, "type"),
    (Name.Function, "key"),
    (String, "text"),
    (Number, "value"),
)


def lines_of(text: str, language: str) -> list[SafeString]:
    """The text's lines as HTML; without colours where it is too large or `language` is empty.

    `language` is a name that Pygments knows, never a word of the descriptor's author.
    """
    if not language or len(text) > MAX_CHARACTERS or _longest(text) > MAX_LINE:
        return [mark_safe(escape(line)) for line in text.split("\n")]  # noqa: S308
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return list(_coloured(lexer.get_tokens(text)))


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _coloured(tokens: Iterator[tuple[_TokenType, str]]) -> Iterator[SafeString]:
    """Neighbours of one class share a tag: a JSON of 60 kB has 30,000 tokens."""
    line: list[str] = []
    for name, group in groupby(((_class_of(kind), value) for kind, value in tokens), _first):
        for number, part in enumerate("".join(value for _, value in group).split("\n")):
            if number:
                yield mark_safe("".join(line))  # noqa: S308, its parts are escaped
                line = []
            line.append(
                f'<span class="code__{name}">{escape(part)}</span>' if name else escape(part)
            )
    yield mark_safe("".join(line))  # noqa: S308


def _first(pair: tuple[str, str]) -> str:
    return pair[0]


@cache
def _class_of(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if kind in token), "")
