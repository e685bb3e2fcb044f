"""What the demo's pipelines have in common: steps, branches, people, tokens."""

from typing import Any


def step(name: str, seconds: float, *lines: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "lines": lines, **more}


def git(name: str) -> str:
    return f"https://git.limelight.example/{name}.git"


BUILD = step(
    "Build",
    8,
    "Resolving dependencies",
    "48 packages from the cache, 2 fetched",
    "Compiling",
    "Building the image",
    "Image pushed",
)
TEST = step(
    "Test",
    12,
    "tests/unit: 214 passed",
    "tests/contract: 31 passed",
    "tests/integration: 18 passed, 1 skipped",
    "264 tests, no failures",
    tests=[264, 0, 1],
)
RED_TEST = step(
    "Test",
    9,
    "tests/unit: 96 passed",
    "tests/integration: FAILED test_refund_of_a_cancelled_show",
    "AssertionError: expected 4200, got 0",
    "113 tests, 1 failure",
    outcome="failed",
    tests=[113, 1, 0],
)
DEPLOY = step(
    "Deploy",
    12,
    "Rolling out 3 replicas",
    "1 of 3 ready",
    "2 of 3 ready",
    "3 of 3 ready",
    "Health check passed",
)
BROWSERS = step(
    "Browser tests",
    14,
    "Starting browsers",
    "seat-picker.spec: passed",
    "checkout.spec: timed out, once more",
    "23 specs",
    outcomes=["failed", "passed"],
)
REHEARSAL = step(
    "Rehearse",
    240,
    "40,000 people look at the seat map",
    "12,000 people hold a seat",
    "9,500 people pay at the same time",
    "p95 1.4 s, no seat sold twice",
    repeat=30,
)
ENVIRONMENT = {
    "name": "ENVIRONMENT",
    "type": "choice",
    "choices": ["development", "staging", "production"],
    "description": "Where it takes effect.",
}
BRANCH = {"name": "BRANCH", "default": "main", "description": "What to build."}
BRANCHES = ["main", "release/2.4", "feature/gift-cards"]
COMMITTERS = ["Elif Kaya", "Chiara Conti", "Farid Haddad", "Ana Duarte"]
COMMITS = [
    "Hold a seat while its payment is retried",
    "Show prices with fees from the start",
    "Drop the old queue page",
    "Cache what is on tonight",
    "Say why a code was refused",
]


def token(variable: str, **more: Any) -> dict[str, Any]:
    """What `manage.py run` hands to both sides; the value stands where nothing is handed."""
    known = {"value": "11" + "5a9de40c" * 4, "login": "stagedoor", "name": "Stagedoor"}
    return known | {"env": f"STAGEDOOR_CREDENTIAL_{variable}", **more}
