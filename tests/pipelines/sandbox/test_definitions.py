"""From plain data to pipelines with a past."""

import pytest

from pipelines.sandbox.definitions import BadDefinition, add_hook, add_pipeline, add_token, load
from pipelines.sandbox.demo import DEFINITION
from pipelines.sandbox.engine import World
from pipelines.sandbox.script import FINAL


@pytest.fixture
def jenkins():
    return World().add("jenkins", "jenkins")


def test_a_past_is_finished_and_the_same_each_time():
    def past() -> list[tuple[str, str]]:
        instance = World().add("jenkins", "jenkins")
        pipeline = add_pipeline(instance, {"name": "app", "history": 12, "branches": ["main", "x"]})
        return [(b.branch, b.at(instance.now()).state) for b in pipeline.newest_first()]

    assert past() == past()
    assert {state for _, state in past()} <= FINAL
    assert {branch for branch, _ in past()} == {"main", "x"}


def test_a_step_that_always_fails_was_good_once(jenkins):
    steps = [{"name": "Test", "outcome": "failed"}]
    pipeline = add_pipeline(jenkins, {"name": "red", "history": 12, "steps": steps})
    states = [build.at(jenkins.now()).state for build in pipeline.newest_first()]
    assert set(states[:6]) == {"failed"}
    assert "passed" in states[6:]


def test_labels_are_declared_beside_other_parameters(jenkins):
    pipeline = add_pipeline(jenkins, {"name": "app", "parameters": ["BRANCH"], "labels": True})
    names = [parameter.name for parameter in pipeline.parameters]
    assert names[0] == "BRANCH"
    assert "STAGEDOOR_REQUEST_ID" in names


def test_a_token_is_taken_from_the_environment(jenkins, monkeypatch):
    monkeypatch.setenv("HANDED", "stagedoor:from-outside")
    assert add_token(jenkins, {"env": "HANDED", "value": "known"}).value == "from-outside"
    monkeypatch.delenv("HANDED")
    assert add_token(jenkins, {"env": "HANDED", "value": "known"}).value == "known"


def test_a_webhooks_secret_is_taken_from_the_environment_and_not_shown(jenkins, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "handed")
    hook = add_hook(jenkins, {"url": "http://127.0.0.1:1/", "env": "HOOK_SECRET", "secret": "x"})
    assert (hook.secret, hook.lasting) == ("handed", False)
    assert "handed" not in repr(hook)
    with pytest.raises(BadDefinition, match="unknown uri"):
        add_hook(jenkins, {"uri": "http://127.0.0.1:1/"})


def test_a_token_does_not_show_itself(jenkins):
    assert "s3cret" not in repr(add_token(jenkins, {"value": "s3cret"}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "a", "colour": "blue"}, "pipeline a: unknown colour"),
        ({"name": "a", "steps": [{"name": "s", "second": 3}]}, "step s: unknown second"),
        ({"name": "a", "steps": [{"name": "s", "outcome": "broken"}]}, "unknown outcome 'broken'"),
        ({"name": "a", "parameters": [{"name": "P", "kind": 1}]}, "parameter P: unknown kind"),
    ],
)
def test_a_typing_mistake_is_told(jenkins, entry, said):
    with pytest.raises(BadDefinition, match=said):
        add_pipeline(jenkins, entry)


def test_the_demo_loads_and_has_a_past_at_every_pipeline():
    world = World()
    load(world, DEFINITION)
    pipelines = [p for i in world.instances.values() for p in i.pipelines.values()]
    assert len(pipelines) >= 10
    assert all(pipeline.builds for pipeline in pipelines if pipeline.active)


def test_commits_arrive_on_schedule_one_build_at_a_time(jenkins):
    pipeline = add_pipeline(jenkins, {"name": "app", "every_seconds": 600})
    jenkins.settle()
    assert len(pipeline.builds) == 1
    jenkins.settle()
    assert len(pipeline.builds) == 1
    jenkins.clock.advance(601)
    jenkins.settle()
    assert len(pipeline.builds) == 2
