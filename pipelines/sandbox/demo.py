"""The pipelines of Limelight, the demo organisation: believable builds at two vendors.

The names are those that `catalog/demo_org` annotates its components with.
"""

from typing import Any


def _step(name: str, seconds: float, *lines: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "lines": lines, **more}


def _git(name: str) -> str:
    return f"https://git.limelight.example/{name}.git"


_BUILD = _step(
    "Build",
    8,
    "Resolving dependencies",
    "48 packages from the cache, 2 fetched",
    "Compiling",
    "Building the image",
    "Image pushed",
)
_TEST = _step(
    "Test",
    12,
    "tests/unit: 214 passed",
    "tests/contract: 31 passed",
    "tests/integration: 18 passed, 1 skipped",
    "264 tests, no failures",
)
_RED_TEST = _step(
    "Test",
    9,
    "tests/unit: 96 passed",
    "tests/integration: FAILED test_refund_of_a_cancelled_show",
    "AssertionError: expected 4200, got 0",
    "113 tests, 1 failure",
    outcome="failed",
)
_DEPLOY = _step(
    "Deploy",
    12,
    "Rolling out 3 replicas",
    "1 of 3 ready",
    "2 of 3 ready",
    "3 of 3 ready",
    "Health check passed",
)
_BROWSERS = _step(
    "Browser tests",
    14,
    "Starting browsers",
    "seat-picker.spec: passed",
    "checkout.spec: timed out, once more",
    "23 specs",
    outcomes=["failed", "passed"],
)
_REHEARSAL = _step(
    "Rehearse",
    240,
    "40,000 people look at the seat map",
    "12,000 people hold a seat",
    "9,500 people pay at the same time",
    "p95 1.4 s, no seat sold twice",
    repeat=30,
)
_ENVIRONMENT = {
    "name": "ENVIRONMENT",
    "type": "choice",
    "choices": ["development", "staging", "production"],
    "description": "Where it takes effect.",
}
_BRANCH = {"name": "BRANCH", "default": "main", "description": "What to build."}
_BRANCHES = ["main", "release/2.4", "feature/gift-cards"]
_COMMITTERS = ["Elif Kaya", "Chiara Conti", "Farid Haddad", "Ana Duarte"]
_COMMITS = [
    "Hold a seat while its payment is retried",
    "Show prices with fees from the start",
    "Drop the old queue page",
    "Cache what is on tonight",
    "Say why a code was refused",
]


def _job(name: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {
        "name": name,
        "repository": _git(name),
        "branches": _BRANCHES,
        "parameters": [_BRANCH],
        "labels": True,
        "quiet_seconds": 2,
        "keep_builds": 100,
        "steps": steps,
        "history": 14,
    }
    return values | more


def _pipeline(slug: str, title: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {
        "name": f"limelight/{slug}",
        "title": title,
        "repository": _git(slug),
        "branches": _BRANCHES,
        "queue_seconds": 3,
        "committers": _COMMITTERS,
        "commits": _COMMITS,
        "keep_builds": 100,
        "steps": steps,
        "history": 14,
    }
    return values | more


def _token(variable: str, **more: Any) -> dict[str, Any]:
    """What `manage.py run` hands to both sides; the value stands where nothing is handed."""
    known = {"value": "11" + "5a9de40c" * 4, "login": "stagedoor", "name": "Stagedoor"}
    return known | {"env": f"STAGEDOOR_CREDENTIAL_{variable}", **more}


DEFINITION: dict[str, Any] = {
    "instances": [
        {
            "vendor": "jenkins",
            "prefix": "jenkins",
            "tokens": [_token("DEMO_JENKINS", expires_in_days=90)],
            "pipelines": [
                _job("payments/payments-api", [_BUILD, _TEST], every_seconds=1_500),
                _job(
                    "payments/payments-api-deploy",
                    [_BUILD, _TEST, _DEPLOY],
                    repository=_git("payments/payments-api"),
                    parameters=[_BRANCH, _ENVIRONMENT],
                ),
                _job("payments/refunds", [_BUILD, _RED_TEST]),
                _job("box-office/booking-api", [_BUILD, _TEST], every_seconds=900),
                _job(
                    "box-office/pricing-service",
                    [_BUILD, _TEST],
                    parameters=[],
                    labels=False,
                    kind="freestyle",
                    concurrent=False,
                ),
                _job(
                    "front-of-house/scanner",
                    [_BUILD, _TEST],
                    parameters=[],
                    branches=["main", "feature/offline-list"],
                    multibranch=True,
                ),
                _job(
                    "front-of-house/turnstiles",
                    [_BUILD],
                    kind="freestyle",
                    disabled=True,
                    description="Taken out of service.",
                    history=3,
                ),
            ],
        },
        {
            "vendor": "jenkins",
            "prefix": "jenkins-ops",
            "tokens": [_token("DEMO_JENKINS_OPS", expires_in_days=400)],
            "pipelines": [
                _job(
                    "rehearsals/sold-out-evening",
                    [_step("Warm up", 20, "Filling caches"), _REHEARSAL],
                    concurrent=False,
                    history=6,
                )
            ],
        },
        {
            "vendor": "buildkite",
            "prefix": "buildkite",
            "tokens": [
                _token("DEMO_BUILDKITE", value="bkua_" + "5a9de40c" * 5, expires_in_days=30)
            ],
            "pipelines": [
                _pipeline("search", "Search :mag:", [_BUILD, _TEST], every_seconds=1_200),
                _pipeline("recommendations", "Recommendations", [_BUILD, _TEST]),
                _pipeline(
                    "seat-map",
                    "Seat map",
                    [_BUILD, {**_TEST, "group": "checks"}, {**_BROWSERS, "group": "checks"}],
                ),
                _pipeline(
                    "checkout-web",
                    "Checkout :credit_card:",
                    [_BUILD, _TEST, {"name": "Release to everybody?", "gate": True}, _DEPLOY],
                ),
                _pipeline("old-website", "Old website", [_BUILD], archived=True, history=4),
            ],
        },
    ]
}
