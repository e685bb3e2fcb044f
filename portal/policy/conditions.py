"""Under which conditions a grant holds: on which branches, with which parameters, at what hours.

An administrator writes them as three short texts on a role mapping; they are parsed here, when the
form is checked and again when policy is loaded. What can't be parsed grants nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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
        if not (self.branches or self.parameters or self.hours):
            return ""
        return "Conditions of role mappings can't be judged yet."


NONE = Conditions()
