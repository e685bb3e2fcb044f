"""Limelight at Travis CI."""

from typing import Any

from .parts import BRANCHES, BUILD, COMMITS, COMMITTERS, TEST, git, token

TRAVIS: dict[str, Any] = {
    "vendor": "travis",
    "prefix": "travis",
    "tokens": [token("DEMO_TRAVIS")],
    "pipelines": [
        {
            "name": "limelight/playlists",
            "repository": git("playlists"),
            "branches": BRANCHES,
            "queue_seconds": 3,
            "committers": COMMITTERS,
            "commits": COMMITS,
            "keep_builds": 100,
            "steps": [BUILD, TEST],
            "history": 14,
        }
    ],
}
