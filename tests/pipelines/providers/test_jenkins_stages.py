"""Stages of Jenkins' runs, over the addresses that two plugins have had."""

import json

import pytest

from pipelines.providers.base import State
from pipelines.providers.jenkins.stages import parse_stages
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.test_jenkins import at

STAGES = {"stages": [{"id": "6", "name": "Build", "status": "SUCCESS"}]}
GRAPH = {"status": "ok", "data": {"stages": [{"id": "6", "name": "Build", "state": "success"}]}}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/wfapi/describe", STAGES),
        ("/stages/tree", GRAPH),
        ("/pipeline-overview/tree", GRAPH),
        ("/pipeline-graph/tree", GRAPH),
    ],
)
def test_the_address_that_answered_is_asked_first_next_time(path, answer):
    def behave(handler):
        if handler.path.endswith(path):
            json_reply(json.dumps(answer))(handler)
        elif "/api/json" in handler.path:
            json_reply('{"number": 1}')(handler)
        else:
            reply(404)(handler)

    with serve(behave) as httpd:
        adapter = at(httpd.url)
        first = adapter.steps("job", "1")
        httpd.asked.clear()
        assert adapter.steps("job", "1") == first
    assert [(step.name, step.state) for step in first[1:]] == [("Build", State.PASSED)]
    asked = [a.path for a in httpd.asked if "/api/json" not in a.path]
    assert asked == [f"/job/job/1{path}"]


def test_parallel_branches_follow_their_stage():
    branch = {"id": "2", "name": "Linux", "state": "failure", "children": [{"title": "Unit"}]}
    stages = [{"id": 1, "name": "Test", "state": "failure", "children": [branch, None]}, {}]
    assert [step.name for step in parse_stages(stages)] == ["Test", "Linux", "Unit", ""]


def test_stages_nested_without_end_are_cut():
    stage = {"name": "x"}
    for _ in range(500):
        stage = {"name": "x", "children": [stage]}
    assert len(parse_stages([stage])) < 50


@pytest.mark.parametrize("word", ["", "SPLENDID", "success ", "Success"])
def test_a_word_that_is_not_known_is_never_green(word):
    [step] = parse_stages([{"status": word, "startTimeMillis": 1_700_000_000_000}])
    assert (step.state, step.finished_at) == (State.UNKNOWN, None)
