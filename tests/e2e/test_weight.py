"""How much a browser loads to draw a page for the first time, nothing kept."""

import pytest

from tests.e2e.people import SERVICE, Visit
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

MAX_REQUESTS = 8
MAX_BYTES = 60_000  # over the wire, headers included


@pytest.mark.parametrize("path", ["/catalog/", SERVICE, "/catalog/default/system/box-office/"])
def test_a_drawn_page_is_light(stack: Stack, visit: Visit, path: str) -> None:
    page = visit(stack, "ana")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    asked: list[str] = []
    sizes: list[float] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(stack.url)))
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert len(asked) <= MAX_REQUESTS, asked
    assert sum(sizes) <= MAX_BYTES, asked
