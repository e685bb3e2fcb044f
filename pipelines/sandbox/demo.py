"""The demo organisation's pipelines: believable builds, on two vendors."""

from typing import Any

_TEST = {
    "name": "Test",
    "seconds": 12,
    "lines": [
        "Collecting tests",
        "tests/unit: 214 passed",
        "tests/contract: 31 passed",
        "tests/integration: 18 passed, 1 skipped",
        "264 tests, 0 failures",
    ],
}
_BUILD = {
    "name": "Build",
    "seconds": 8,
    "lines": [
        "Resolving dependencies",
        "Downloaded 48 packages",
        "Compiling",
        "Building image registry.example/app",
        "Image pushed",
    ],
}
_DEPLOY = {
    "name": "Deploy",
    "seconds": 10,
    "lines": [
        "Rolling out 3 replicas",
        "1 of 3 ready",
        "2 of 3 ready",
        "3 of 3 ready",
        "Health check passed",
    ],
}
_FLAKY = {
    "name": "End to end",
    "seconds": 9,
    "outcomes": ["failed", "passed"],
    "lines": ["Starting browsers", "checkout.spec: card declined", "1 failed, 22 passed"],
}
_BRANCHES = ["main", "release/2.4", "feature/gift-cards"]


def _git(name: str) -> str:
    return f"https://git.example/{name}.git"


DEFINITION: dict[str, Any] = {
    "instances": [
        {
            "vendor": "jenkins",
            "prefix": "jenkins",
            "tokens": [
                {
                    "value": "11" + "5a9de40c" * 4,
                    "login": "stagedoor",
                    "name": "Stagedoor",
                    "expires_in_days": 90,
                }
            ],
            "pipelines": [
                {
                    "name": "payments/checkout-deploy",
                    "repository": _git("payments/checkout"),
                    "branches": _BRANCHES,
                    "parameters": [
                        {"name": "BRANCH", "default": "main"},
                        {"name": "TARGET", "type": "choice", "choices": ["staging", "production"]},
                    ],
                    "labels": True,
                    "quiet_seconds": 2,
                    "steps": [_BUILD, _TEST, _DEPLOY],
                    "history": 14,
                },
                {
                    "name": "payments/ledger",
                    "repository": _git("payments/ledger"),
                    "branches": ["main", "feature/eu-vat"],
                    "multibranch": True,
                    "labels": True,
                    "steps": [_BUILD, _TEST],
                    "history": 8,
                },
                {
                    "name": "nightly-reports",
                    "kind": "freestyle",
                    "repository": _git("data/reports"),
                    "concurrent": False,
                    "steps": [{"name": "Report", "seconds": 15, "lines": ["Querying", "Writing"]}],
                    "history": 10,
                },
                {
                    "name": "legacy/mainframe-export",
                    "kind": "freestyle",
                    "disabled": True,
                    "history": 3,
                },
            ],
        },
        {
            "vendor": "buildkite",
            "prefix": "buildkite",
            "tokens": [
                {
                    "value": "bkua_" + "5a9de40c" * 5,
                    "login": "stagedoor",
                    "name": "Stagedoor",
                    "expires_in_days": 30,
                }
            ],
            "pipelines": [
                {
                    "name": "acme/storefront",
                    "title": "Storefront :shopping_trolley:",
                    "repository": _git("shop/storefront"),
                    "branches": _BRANCHES,
                    "steps": [_BUILD, {**_TEST, "group": "checks"}, {**_FLAKY, "group": "checks"}],
                    "history": 16,
                },
                {
                    "name": "acme/storefront-release",
                    "repository": _git("shop/storefront"),
                    "branches": ["main"],
                    "steps": [
                        _BUILD,
                        {"name": "Release to production?", "gate": True},
                        _DEPLOY,
                    ],
                    "history": 6,
                },
                {
                    "name": "acme/search",
                    "repository": _git("shop/search"),
                    "branches": ["main", "feature/synonyms"],
                    "steps": [_BUILD, _TEST],
                    "history": 12,
                },
                {
                    "name": "acme/old-search",
                    "repository": _git("shop/old-search"),
                    "archived": True,
                    "history": 4,
                },
            ],
        },
    ]
}
