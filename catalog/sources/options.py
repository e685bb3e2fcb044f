"""The settings that only some kinds of source have: which there are, and what may stand in them."""

from collections.abc import Mapping
from typing import Any

from catalog.sources import backstage, bitbucket, bitbucket_dc, git, github
from catalog.sources.base import Option

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "bitbucket": tuple(bitbucket.OPTIONS),
    "bitbucket_dc": tuple(bitbucket_dc.OPTIONS),
    "git": tuple(git.OPTIONS),
    "github": tuple(github.OPTIONS),
    "backstage": tuple(backstage.OPTIONS),
}
MAX_WORDS = 500
MAX_TEXT = 500


def options_of(kind: str) -> tuple[Option, ...]:
    """What sources of this kind understand, in the order of the form."""
    return OPTIONS.get(kind, ())


def every_option() -> dict[str, Option]:
    """One of each name; kinds that share a name mean the same by it."""
    return {option.name: option for options in OPTIONS.values() for option in options}


def clean(kind: str, given: object) -> tuple[dict[str, Any], dict[str, str]]:
    """What is stored, without what is empty; and {option: what is wrong with it}."""
    if not isinstance(given, Mapping):
        return {}, {"": "Options are names with values."}
    known = {option.name: option for option in options_of(kind)}
    kept: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in given.items():
        option = known.get(str(name))
        if value in (None, "", [], False):
            continue
        if option is None:
            wrong[str(name)[:MAX_TEXT]] = "Sources of this kind have no such option."
            continue
        problem = _problem(option, value)
        if problem:
            wrong[option.name] = problem
        else:
            kept[option.name] = _words(value) if option.shape == "list" else value
    return kept, wrong


def in_words(kind: str, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, value) of what is set, for a page."""
    said = []
    for option in options_of(kind):
        value = options.get(option.name)
        if value in (None, "", [], False):
            continue
        if option.shape == "flag":
            said.append((option.label, "included" if option.name.startswith("include") else "yes"))
        else:
            said.append((option.label, ", ".join(_words(value))))
    return said


def _problem(option: Option, value: object) -> str:
    if option.shape == "flag":
        return "" if isinstance(value, bool) else "It is either on or off."
    if option.shape == "list":
        words = _words(value)
        if not isinstance(value, str | list) or len(words) > MAX_WORDS:
            return f"It is a list of words, {MAX_WORDS} at most."
        too_long = any(len(word) > MAX_TEXT for word in words)
        return f"A word can have {MAX_TEXT} characters at most." if too_long else ""
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        return f"It is a text of one line, {MAX_TEXT} characters at most."
    return ""


def _words(value: object) -> list[str]:
    """One a line; a form sends lines, a script a list."""
    given = value.splitlines() if isinstance(value, str) else value
    listed = given if isinstance(given, list) else []
    return [word.strip() for word in listed if isinstance(word, str) and word.strip()]
