"""Limelight at Buildkite."""

from typing import Any

from .parts import BRANCHES, BROWSERS, BUILD, COMMITS, COMMITTERS, DEPLOY, TEST, git, token


def pipeline(slug: str, title: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {
        "name": f"limelight/{slug}",
        "title": title,
        "repository": git(slug),
        "branches": BRANCHES,
        "queue_seconds": 3,
        "committers": COMMITTERS,
        "commits": COMMITS,
        "keep_builds": 100,
        "steps": steps,
        "history": 14,
    }
    return values | more


BUILDKITE: dict[str, Any] = {
    "vendor": "buildkite",
    "prefix": "buildkite",
    "tokens": [token("DEMO_BUILDKITE", value="bkua_" + "5a9de40c" * 5, expires_in_days=30)],
    "pipelines": [
        pipeline("search", "Search :mag:", [BUILD, TEST], every_seconds=1_200),
        pipeline("recommendations", "Recommendations", [BUILD, TEST]),
        pipeline(
            "seat-map",
            "Seat map",
            [BUILD, {**TEST, "group": "checks"}, {**BROWSERS, "group": "checks"}],
        ),
        pipeline(
            "checkout-web",
            "Checkout :credit_card:",
            [BUILD, TEST, {"name": "Release to everybody?", "gate": True}, DEPLOY],
        ),
        pipeline("old-website", "Old website", [BUILD], archived=True, history=4),
    ],
}
