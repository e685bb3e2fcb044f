"""With a real worker and beat: what happens by itself, and what is said when it does not."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Visit
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_an_edited_descriptor_appears_on_its_schedule(stack: Stack, visit: Visit) -> None:
    lena = visit(stack, "lena")
    lena.goto("/sources/limelight/")
    lena.get_by_role("link", name="Edit").click()
    lena.get_by_label("Interval seconds").fill("10")
    lena.get_by_role("button", name="Save", exact=True).click()
    lena.goto("/sources/limelight/")
    lena.get_by_role("button", name="Sync now").click()
    expect(lena.get_by_text("every 10 s")).to_be_visible()

    path = stack.descriptors / "systems" / "box-office" / "catalog-info.yaml"
    words = "Draws a hall, its pillars included, so that one can point at a seat."
    text = path.read_text()
    assert "Draws a hall so that one can point at a seat." in text
    path.write_text(text.replace("Draws a hall so that one can point at a seat.", words))
    ben = visit(stack, "ben")
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        ben.goto("/catalog/default/component/seat-map/")
        if ben.get_by_text(words).count():
            break
        time.sleep(1)
    expect(ben.get_by_text(words)).to_be_visible()


def test_a_beat_that_died_is_said_on_the_sources_page_and_in_healthz(
    stack_without_beat: Stack, visit: Visit
) -> None:
    stack = stack_without_beat
    beat = stack.start_part("beat")
    try:
        wait_for_beat(stack, ok=True)
        ben = visit(stack, "ben")
        ben.goto("/sources/")
        expect(ben.get_by_text("Celery beat")).to_have_count(0)
    finally:
        beat.kill()
        beat.wait()
    said = wait_for_beat(stack, ok=False)
    assert "has not been seen since" in said
    ben.goto("/sources/")
    expect(ben.get_by_text("Celery beat has not been seen since")).to_be_visible()


def wait_for_beat(stack: Stack, ok: bool) -> str:
    """What /healthz says of beat, once it says that it is well or not."""
    deadline = time.monotonic() + 40
    check: dict[str, Any] = {}
    while time.monotonic() < deadline:
        checks = {check["name"]: check for check in health(stack)["checks"]}
        check = checks["beat"]
        if check["ok"] is ok:
            return str(check["message"])
        time.sleep(0.5)
    raise AssertionError(f"beat is not {'well' if ok else 'ill'}: {check}")


def health(stack: Stack) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{stack.url}/healthz", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:  # 503 says the same, and that something is ill
        return dict(json.load(error))
