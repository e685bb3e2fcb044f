"""What the values of a run's parameters have to be, a rule a line.

TARGET: one of staging, test
VERSION: matches v\\d+\\..*
COUNT: integer 1..10
DRY_RUN: true or false
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from portal.policy.patterns import BadPattern, compiled, full_match

MAX_RULES = 50
_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,99}", re.ASCII)
_RANGE = re.compile(r"(-?[0-9]{1,18})?\s*\.\.\s*(-?[0-9]{1,18})?")
# As a shell reads it, too: 010 is eight to some.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FORMS = '"one of a, b", "matches PATTERN", "integer 1..10", "integer" or "true or false"'


class BadRule(ValueError):
    """The text says, as a sentence, what is wrong with a line."""


@dataclass(frozen=True)
class Rule:
    """One line: a parameter's name, the demand as written, and whether a value meets it."""

    name: str
    demand: str
    meets: Callable[[str], bool]

    @property
    def line(self) -> str:
        return f"{self.name}: {self.demand}"

    def problem(self, parameters: Mapping[str, str] | None) -> str:
        """Why it does not hold for these parameters; "" where it does.

        A name in other letters counts too, for many a script reads target for TARGET: all that
        are given have to meet the demand.
        """
        if parameters is None:
            return f"{self._demanded()}; which parameters it runs with is not known."
        name = self.name.casefold()
        values = [value for key, value in parameters.items() if key.casefold() == name]
        if not values:
            return f"{self._demanded()}; it is not given."
        wrong = [value for value in values if not self.meets(value)]
        return f"{self._demanded()}, not {wrong[0][:60] or 'empty'}." if wrong else ""

    def _demanded(self) -> str:
        verb = "has to match" if self.demand.startswith("matches ") else "has to be"
        return f"{self.name} {verb} {self.demand.removeprefix('matches ')}"


@lru_cache(maxsize=1024)
def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a text, a line each. Raises BadRule."""
    lines = [line.strip() for line in text.splitlines()]
    rules = tuple(_rule(line) for line in lines if line)
    if len(rules) > MAX_RULES:
        raise BadRule(f"These are more than {MAX_RULES} rules.")
    return rules


def _rule(line: str) -> Rule:
    name, colon, demand = (part.strip() for part in line.partition(":"))
    if not colon or not demand:
        raise BadRule(f'"{line[:60]}" is no rule: write a name, a colon, and {_FORMS}.')
    if not _NAME.fullmatch(name):
        raise BadRule(f'"{name[:60]}" can\'t be the name of a parameter.')
    return Rule(name, demand, _meeting(name, demand))


def _meeting(name: str, demand: str) -> Callable[[str], bool]:
    word, _, rest = demand.partition(" ")
    if demand == "true or false":
        return {"true", "false"}.__contains__
    if demand.startswith("one of "):
        values = {value.strip() for value in demand.removeprefix("one of ").split(",")}
        if "" in values:
            raise BadRule(f"{name}: a value is empty between two commas.")
        return values.__contains__
    if word == "integer":
        return _integer(name, rest.strip())
    if word == "matches" and rest.strip():
        return _matching(name, rest.strip())
    raise BadRule(f'{name}: "{demand[:60]}" is not understood: write {_FORMS}.')


def _integer(name: str, written: str) -> Callable[[str], bool]:
    found = _RANGE.fullmatch(written) if written else None
    if written and (found is None or found[0].strip() == ".."):
        raise BadRule(f'{name}: "{written[:60]}" is no range: write it as 1..10, 1.. or ..10.')
    least = int(found[1]) if found and found[1] else None
    most = int(found[2]) if found and found[2] else None
    if least is not None and most is not None and least > most:
        raise BadRule(f"{name}: no number lies in {written}.")

    def within(value: str) -> bool:
        if not _INTEGER.fullmatch(value):
            return False
        number = int(value)
        return (least is None or number >= least) and (most is None or number <= most)

    return within


def _matching(name: str, pattern: str) -> Callable[[str], bool]:
    try:
        compiled(pattern)
    except BadPattern as error:
        raise BadRule(f"{name}: the pattern can't be used, {error}.") from error
    return lambda value: full_match(pattern, value)
