"""Limelight at Bitbucket, with pipelines that have a name."""

from typing import Any

from .parts import BRANCHES, BUILD, COMMITS, COMMITTERS, DEPLOY, TEST, git, token

_NAMED = {"name": "PIPELINE", "choices": ["", "deploy-staging", "deploy-production"]}
_DISCOUNT = {"name": "DISCOUNT", "default": "none", "choices": ["none", "half"]}

BITBUCKET: dict[str, Any] = {
    "vendor": "bitbucket",
    "prefix": "bitbucket",
    "tokens": [token("DEMO_BITBUCKET")],
    "pipelines": [
        {
            "name": "limelight/gift-cards",
            "repository": git("gift-cards"),
            "branches": BRANCHES,
            "queue_seconds": 2,
            "committers": COMMITTERS,
            "commits": COMMITS,
            "keep_builds": 100,
            "parameters": [_NAMED, _DISCOUNT],
            "steps": [BUILD, TEST, DEPLOY],
            "history": 14,
        }
    ],
}
