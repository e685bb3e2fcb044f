"""Under which conditions a grant holds: on which branches, with which parameters, at what hours.

An administrator writes them as three short texts on a role mapping; they are parsed here, when the
form is checked and again when policy is loaded. What can't be parsed grants nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from portal.policy.hours import BadHours, windows_of
from portal.policy.parameter_rules import BadRule, Rule, rules_of

MAX_GLOBS = 50
MAX_GLOB = 200


class BadBranches(ValueError):
    """The text says, as a sentence, what is wrong with the globs."""


@dataclass(frozen=True)
class Conditions:
    """As written; each is empty where there is none."""

    branches: str = ""  # globs, separated by commas or lines: "main, release/*"
    parameters: str = ""  # a rule a line: "TARGET: one of staging, test"
    hours: str = ""  # "Mon-Fri 08:00-18:00 Europe/Berlin"

    def problem(
        self, branch: str | None, parameters: Mapping[str, str] | None, now: datetime
    ) -> str:
        """Why the grant does not hold here, as a sentence; "" where it does.

        What is not known (None) fails a condition about it.
        """
        if self == NONE:
            return ""
        return (
            self._unreadable()
            or self._at_the_wrong_hour(now)
            or self._on_the_wrong_branch(branch)
            or next(filter(None, (rule.problem(parameters) for rule in self._rules())), "")
        )

    def problem_whatever_is_chosen(self, now: datetime) -> str:
        """As problem(), for a branch and parameters that are still to be chosen."""
        return "" if self == NONE else self._unreadable() or self._at_the_wrong_hour(now)

    def faults(self) -> dict[str, str]:
        """What can't be read of it: a sentence by the name of the text."""
        found = {}
        for name, parse in (
            ("branches", globs_of),
            ("parameters", rules_of),
            ("hours", windows_of),
        ):
            text = getattr(self, name)
            try:
                if text.strip():
                    parse(text)
            except (BadBranches, BadRule, BadHours) as error:
                found[name] = str(error)
        return found

    def loosened(
        self, branch: str | None, parameters: Mapping[str, str] | None, now: datetime
    ) -> "Conditions":
        """As little less as holds here: the branch is added, what else fails is left out."""
        faults = self.faults()
        kept = replace(self, **dict.fromkeys(faults, ""))
        if kept._at_the_wrong_hour(now):
            kept = replace(kept, hours="")
        if kept._on_the_wrong_branch(branch):
            kept = replace(kept, branches=f"{kept.branches}, {_literal(branch)}" if branch else "")
        holding = [rule.line for rule in kept._rules() if not rule.problem(parameters)]
        return replace(kept, parameters="\n".join(holding))

    def words(self) -> str:
        """As a person reads them: "on main, release/*; with TARGET: one of a, b; Mon-Fri …"."""
        branches = f"on the branches {', '.join(self.branches.replace(',', ' ').split())}"
        parameters = f"with {', '.join(self.parameters.splitlines())}"
        parts = (self.branches and branches, self.parameters and parameters, self.hours)
        return "; ".join(part for part in parts if part)

    def _unreadable(self) -> str:
        fault = _first_fault(self)
        return fault and f"The conditions of your role can't be read, so it gives nothing. {fault}"

    def _at_the_wrong_hour(self, now: datetime) -> str:
        if not self.hours.strip() or any(window.holds(now) for window in windows_of(self.hours)):
            return ""
        return f"Your role holds at certain hours only: {self.hours.strip()}."

    def _on_the_wrong_branch(self, branch: str | None) -> str:
        globs = globs_of(self.branches)
        if not globs or (branch and any(fnmatchcase(branch, glob) for glob in globs)):
            return ""
        this = f"this is {branch}" if branch else "which one this is, is not known"
        return f"Your role holds on the branches {', '.join(globs)} only; {this}."

    def _rules(self) -> tuple[Rule, ...]:
        return rules_of(self.parameters)


NONE = Conditions()


@lru_cache(maxsize=1024)
def globs_of(text: str) -> tuple[str, ...]:
    """The globs of a text. Raises BadBranches."""
    globs = [glob.strip() for line in text.splitlines() for glob in line.split(",")]
    found = tuple(glob for glob in globs if glob)
    if text.strip() and not found:
        raise BadBranches("No branch is named.")
    if len(found) > MAX_GLOBS:
        raise BadBranches(f"These are more than {MAX_GLOBS} branches.")
    for glob in found:
        if len(glob) > MAX_GLOB:
            raise BadBranches(f'"{glob[:40]}…" is longer than {MAX_GLOB} characters.')
        if any(char.isspace() or not char.isprintable() for char in glob):
            raise BadBranches(f'"{glob[:60]}": no branch has a space; separate them by commas.')
    return found


@lru_cache(maxsize=1024)
def _first_fault(conditions: Conditions) -> str:
    return next(iter(conditions.faults().values()), "")


def _literal(branch: str) -> str:
    """A glob that matches this branch, and next to no other."""
    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in branch[:MAX_GLOB])
    return escaped.replace(",", "?")
