"""Small building blocks that say what a part of a descriptor must look like.

A shape is a function (value, path, report): it reports each thing that is wrong, with the path of
the offending part, and what to write instead. Written here rather than taken from a JSON-Schema
library, because its sentences would be a validator's, not an author's, and it takes milliseconds
per document where a catalog has thousands.
"""

from collections.abc import Callable
from typing import Any

Path = tuple[str | int, ...]
Report = Callable[[Path, str], None]
Shape = Callable[[Any, Path, Report], None]


def shown(path: Path) -> str:
    """A path as people write it: `spec.dependsOn[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return clip(text, 200)


def clip(text: str, limit: int = 80) -> str:
    """A value for a message: in one line, what can't be seen written out, and not too long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def quoted(text: str) -> str:
    """A value that should be plain ASCII, in quotes; look-alike characters are named."""
    odd = next((character for character in text if not character.isascii()), "")
    return f'"{clip(text)}"' + (f" (with U+{ord(odd):04X})" if odd else "")


def what(value: Any) -> str:
    """A value's kind, in words, for "… but it is …"."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"


def _wanted(path: Path, wanted: str, value: Any, advice: str) -> str:
    return f"{shown(path)} must be {wanted}, but it is {what(value)}; {advice}."


def any_text(value: Any, path: Path, report: Report) -> None:
    """A string; it may be empty."""
    if isinstance(value, str):
        return
    if value is None:
        advice = "give it a value or remove the line"
    elif isinstance(value, dict | list):
        advice = "write one value"
    else:
        advice = "put it in quotes"
    report(path, _wanted(path, "a text", value, advice))


def text(value: Any, path: Path, report: Report) -> None:
    """A string of at least one character."""
    if value == "":
        report(path, f"{shown(path)} must not be empty; give it a value or remove the line.")
    else:
        any_text(value, path, report)


def text_or_flag(value: Any, path: Path, report: Report) -> None:
    """A string or a boolean."""
    if not isinstance(value, bool | str):
        report(path, _wanted(path, "a text or true or false", value, "put it in quotes"))


def one_of(*choices: str) -> Shape:
    """One of a few words."""

    def check(value: Any, path: Path, report: Report) -> None:
        if value not in choices:
            report(path, f"{shown(path)} must be one of: {', '.join(choices)}.")

    return check


def list_of(item: Shape) -> Shape:
    """A list whose items all have one shape."""

    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, list):
            advice = "write [] if there is nothing to list" if value is None else "write [value]"
            report(path, _wanted(path, "a list", value, advice))
            return
        for index, part in enumerate(value):
            item(part, (*path, index), report)

    return check


def mapping(
    fields: dict[str, Shape] | None = None,
    *,
    required: tuple[str, ...] = (),
    others: Shape | None = None,
) -> Shape:
    """A mapping; fields that nobody names are kept as they are, or have the shape `others`."""
    known = fields or {}

    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, dict):
            advice = "remove the line" if value is None else "write its fields below it, indented"
            report(path, _wanted(path, "a mapping", value, advice))
            return
        for name in required:
            if name not in value:
                report(path, f"{shown((*path, name))} is missing; add it.")
        for name, part in value.items():
            shape = known.get(name, others)
            if shape:
                shape(part, (*path, name), report)

    return check


def mapping_or_list_of(item: Shape) -> Shape:
    """Either one such mapping, or a list of them."""
    many = list_of(item)

    def check(value: Any, path: Path, report: Report) -> None:
        (many if isinstance(value, list) else item)(value, path, report)

    return check
