"""Limelight at Drone, beside its git host."""

from typing import Any

from .parts import BRANCHES, BUILD, COMMITS, COMMITTERS, DEPLOY, TEST, git, token


def repository(slug: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {
        "name": f"limelight/{slug}",
        "repository": git(slug),
        "branches": BRANCHES,
        "queue_seconds": 2,
        "committers": COMMITTERS,
        "commits": COMMITS,
        "keep_builds": 100,
        "steps": steps,
        "history": 14,
    }
    return values | more


DRONE: dict[str, Any] = {
    "vendor": "drone",
    "prefix": "drone",
    "tokens": [token("DEMO_DRONE")],
    "pipelines": [
        repository("receipts", [BUILD, TEST, DEPLOY], every_seconds=1_800),
        repository("payments-smoke", [TEST]),
        # Known to Drone, and nobody has switched it on.
        repository("queue-board", [BUILD, TEST], active=False, history=0),
    ],
}
