"""What a dry run says: all that a reading would do, taken from a real one that is rolled back."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from catalog.apply import Applied
from catalog.reading import CONFLICT_STAGE, Issue, Reading

# Of each list; `counts` says how many there are.
MOST = 500


@dataclass(frozen=True)
class Plan:
    """`removed` are [ref, why], `conflicts` [ref, a sentence that says who has it], `issues`
    [location, line, sentence].

    `removed` holds what would be marked as missing as well as what would be deleted by now; `held`
    is what waits for a person because it is too much at once (see catalog/guard.py).
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[list[str]] = field(default_factory=list)
    moved: int = 0
    unchanged: int = 0
    files: int = 0
    conflicts: list[list[str]] = field(default_factory=list)
    issues: list[list[Any]] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As SyncRun.plan keeps it."""
        return asdict(self)


def plan_of(reading: Reading, applied: Applied, issues: Collection[Issue]) -> Plan:
    gone = sorted((*applied.missing.values(), *applied.removed.values()))
    lost = [issue for issue in issues if issue.stage == CONFLICT_STAGE]
    others = [issue for issue in issues if issue.stage != CONFLICT_STAGE]
    lists = {
        "added": sorted(applied.added.values()),
        "changed": sorted(applied.changed.values()),
        "removed": [[ref, applied.reasons[ref]] for ref in gone],
        "conflicts": [[issue.entity_ref, issue.message] for issue in lost],
        "issues": [[issue.location, issue.line or 1, issue.message] for issue in others],
    }
    cut: dict[str, Any] = {name: found[:MOST] for name, found in lists.items()}
    return Plan(
        **cut,
        moved=len(applied.moved),
        unchanged=applied.unchanged,
        files=reading.files,
        held=applied.held or {},
        counts={name: len(found) for name, found in lists.items()},
    )


def plan_of_failure(issues: Collection[Issue]) -> Plan:
    """The source could not be read, so nothing would change."""
    found = [[issue.location, issue.line or 1, issue.message] for issue in issues]
    return Plan(issues=found[:MOST], counts={"issues": len(found)})
