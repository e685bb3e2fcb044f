"""A thousand pipelines do not slow the sandbox down: its work is counted in lines, not timed."""

import threading
from pathlib import Path

import pipelines.sandbox
from pipelines.providers import PROVIDERS
from pipelines.providers.base import ServerConfig
from portal.credentials import Secret
from portal.http import HttpClient
from tests.pipelines.providers.test_contract import ask
from tests.pipelines.providers.traits import traits_of

SANDBOX = str(Path(pipelines.sandbox.__file__).parent)


class Count:
    """The lines of the sandbox that its handlers run within the block."""

    def __enter__(self) -> "Count":
        self.lines = 0
        self.over = False
        threading.settrace(self._trace)
        return self

    def __exit__(self, *_) -> None:
        self.over = True
        threading.settrace(None)

    def _trace(self, frame, event, _):
        # The handlers' threads begin with a request; the thread that looks for webhooks does not.
        if self.over or not frame.f_code.co_filename.startswith(SANDBOX):
            return None
        self.lines += event == "line"
        return self._trace


def fill(installation, first: int, last: int) -> None:
    for number in range(first, last):
        installation.add(f"payments/app-{number:04}", history=2)


def work_on_one(installation) -> int:
    """What a look at one pipeline and a start of it cost; over a connection of its own."""
    pipeline = installation.pipeline
    installation.adapter().get_pipeline(pipeline)  # what is remembered from now on costs once
    with Count() as count:
        adapter = installation.adapter()
        adapter.get_pipeline(pipeline)
        adapter.list_builds(pipeline, limit=1)
        adapter.start(ask(pipeline))
    assert count.lines > 100
    return count.lines


def work_on_the_list(installation) -> int:
    patient = HttpClient(allow=["127.0.0.1"], timeout=(5, 60), deadline=120)
    config = ServerConfig(
        installation.slug, installation.handle.base_url, traits_of(installation.slug).options
    )
    adapter = PROVIDERS[installation.slug](config, patient, Secret(installation.handle.credential))
    with Count() as count:
        assert len(adapter.list_pipelines()) > 100
    return count.lines


def test_one_pipeline_among_a_thousand_costs_what_it_costs_among_a_hundred(installation):
    fill(installation, 0, 100)
    few = work_on_one(installation)
    fill(installation, 100, 1000)
    assert work_on_one(installation) < 2 * few


def test_the_list_of_ten_times_as_many_costs_about_ten_times_as_much(installation):
    fill(installation, 0, 100)
    few = work_on_the_list(installation)
    fill(installation, 100, 1000)
    assert work_on_the_list(installation) < 15 * few
