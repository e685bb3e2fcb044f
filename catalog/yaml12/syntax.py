"""Says in the author's words what libyaml says in a parser's."""

from typing import Any

from catalog.yaml12.stream import Segment, YamlError

_TAB = "A tab stands where only spaces may indent; replace it by spaces."
# A part of libyaml's words, and ours. The first that fits is taken.
_WORDS = (
    (
        "mapping values are not allowed",
        'There is a ": " inside a value without quotes, or the line is indented wrongly; '
        "put the value in quotes, or align the line with its neighbours.",
    ),
    ("found a tab character", _TAB),
    (
        "cannot start any token",
        "A value can't start with this character without quotes; put the value in quotes.",
    ),
    ("found unexpected end of stream", "A quote is opened here and never closed."),
    ("found unexpected document indicator", "A quote is opened here and never closed."),
    ("could not find expected ':'", 'A key without ":"; write "key: value".'),
    (
        "did not find expected key",
        "The indentation does not fit: this line is neither a key of the mapping above it nor "
        "its end. Or a quoted value goes on behind its closing quote.",
    ),
    (
        "did not find expected '-' indicator",
        'The indentation does not fit: an item of the list above begins with "- ".',
    ),
    ("did not find expected ',' or", "A flow list or mapping is not closed, or lacks a comma."),
    (
        "did not find expected node content",
        'A value is missing between "[", "{", "," and their ends.',
    ),
    (
        "block sequence entries are not allowed",
        'A list can\'t begin in this place; put "- " on a line of its own.',
    ),
    (
        "expected alphabetic or numeric character",
        'An anchor ("&name") or alias ("*name") may hold letters, digits, "-" and "_" only. Put a '
        'value that begins with "&" or "*" in quotes.',
    ),
    ("undefined tag handle", "The tag's prefix is not declared; remove the tag."),
    ("unknown escape character", 'No such escape in "..."; write \\\\ for a backslash.'),
)


def syntax_error(error: Any, segment: Segment) -> YamlError:
    """The place libyaml points at and a sentence; `error` is a `yaml.YAMLError`."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    words = next((ours for theirs, ours in _WORDS if theirs in problem), "")
    if mark and segment.text[mark.index : mark.index + 1] == "\t":
        words = _TAB
    message = words or f"YAML can't be read here: {problem}."
    if "never closed" in message and getattr(error, "context_mark", None):
        mark = error.context_mark
    if mark is None:
        return YamlError(message, segment.line)
    return YamlError(message, mark.line + segment.first_line, mark.column + 1)
