"""What this machine has that some tests need: a browser, Node, a broker."""

import os
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of a Chromium: $CHROMIUM, else the first one found on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def lacking() -> dict[str, str]:
    """Marker name -> why its tests can't run here."""
    reasons = {}
    if chromium() is None:
        reasons["e2e"] = "no Chromium found; install one or name it in $CHROMIUM"
    if not (shutil.which("node") and shutil.which("npm")):
        reasons["node"] = "Node and npm are not installed"
    if not os.environ.get("CELERY_BROKER_URL", "").startswith("redis"):
        reasons["broker"] = "CELERY_BROKER_URL names no Redis broker; `make test` starts one"
    return reasons


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, with the reason, what this machine can't run; browser tests come last.

    Playwright leaves an event loop running in the main thread, in which asyncio.run() is refused.
    """
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)
    reasons = lacking()
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
