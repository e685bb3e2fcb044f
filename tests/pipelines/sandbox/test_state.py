"""Builds survive a restart."""

import pytest

from pipelines.sandbox.definitions import add_hook, load
from pipelines.sandbox.engine import World
from pipelines.sandbox.objects import Ask
from pipelines.sandbox.state import BadState, Keeper, restore, save

DEFINITION = {
    "instances": [
        {"vendor": "jenkins", "prefix": "j", "pipelines": [{"name": "a"}, {"name": "b"}]},
        {
            "vendor": "buildkite",
            "prefix": "b",
            "pipelines": [
                {"name": "acme/shop", "steps": ["Build", {"name": "Go?", "gate": True}, "Deploy"]}
            ],
        },
    ]
}


def world() -> World:
    made = World()
    load(made, DEFINITION)
    return made


@pytest.fixture
def lived():
    """A world in which every kind of thing has happened."""
    made = world()
    jenkins, buildkite = made.instances["j"], made.instances["b"]
    jenkins.enqueue(jenkins.pipelines["a"], Ask(parameters={"X": "1"}), 0)
    made.clock.advance(2)
    jenkins.settle()
    jenkins.enqueue(jenkins.pipelines["b"], Ask(), 600)
    shop = buildkite.pipelines["acme/shop"]
    opened, stopped, ended = (buildkite.start(shop, Ask(message=m)) for m in "xyz")
    made.clock.advance(30)
    buildkite.unblock(opened, 1, None)
    buildkite.cancel(stopped, "enough")
    buildkite.finish(ended, "failed")
    made.clock.advance(30)
    return made


def test_webhooks_registered_over_an_api_survive_and_defined_ones_come_from_code(tmp_path):
    lived, path = world(), tmp_path / "state.json"
    instance = lived.instances["b"]
    instance.add_hook("http://127.0.0.1:1/a", "s3cret", "acme/shop", {"events": ["ping"]})
    add_hook(instance, {"url": "http://127.0.0.1:1/b", "secret": "old"})
    save(lived, path)
    assert path.stat().st_mode & 0o077 == 0
    again = world()
    add_hook(again.instances["b"], {"url": "http://127.0.0.1:1/b", "secret": "new"})
    restore(again, path)
    hooks = {hook.url[-1]: hook for hook in again.instances["b"].hooks.values()}
    assert (hooks["a"].secret, hooks["a"].details) == ("s3cret", {"events": ["ping"]})
    assert hooks["b"].secret == "new"


def test_what_ran_before_is_no_news_to_a_webhook(tmp_path, lived):
    lived.instances["b"].add_hook("http://127.0.0.1:1/a")
    save(lived, tmp_path / "state.json")
    again = world()
    again.clock.advance(60)
    restore(again, tmp_path / "state.json")
    assert again.instances["b"].watch.changes(again.clock.now() + 3600) == []


def test_a_vendors_own_details_survive(tmp_path):
    lived = world()
    pipeline = lived.instances["j"].pipelines["a"]
    pipeline.details["active"] = True
    lived.instances["j"].start(pipeline, Ask(details={"event": "promote"}))
    save(lived, tmp_path / "state.json")
    again = world()
    restore(again, tmp_path / "state.json")
    pipeline = again.instances["j"].pipelines["a"]
    assert pipeline.details == {"active": True}
    assert pipeline.builds[1].details == {"event": "promote"}


def told(made: World) -> dict:
    return {
        prefix: (
            [
                (b.id, b.number, b.at(made.clock.now()), b.parameters, b.cancel_reason)
                for b in instance.builds
            ],
            sorted(item.id for item in instance.queue.values() if item.waiting),
        )
        for prefix, instance in made.instances.items()
    }


def test_everything_is_as_it_was(lived, tmp_path):
    path = tmp_path / "deep" / "state.json"
    save(lived, path)
    again = world()
    again.clock.advance(62)
    assert restore(again, path) is True
    assert told(again) == told(lived)
    shop = again.instances["b"].pipelines["acme/shop"]
    assert again.instances["b"].start(shop, Ask()).number == 4


def test_a_pipeline_that_is_gone_is_left_out(lived, tmp_path):
    save(lived, tmp_path / "state.json")
    smaller = World()
    load(smaller, {"instances": [{"vendor": "jenkins", "prefix": "j"}]})
    restore(smaller, tmp_path / "state.json")
    assert smaller.instances["j"].builds == []


def test_no_file_is_no_state(tmp_path):
    assert restore(world(), tmp_path / "state.json") is False


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 99}', '{"version": 1}'])
def test_a_file_that_is_no_state_is_refused(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(BadState):
        restore(world(), tmp_path / "state.json")


def test_the_keeper_saves_what_changed(lived, tmp_path):
    path = tmp_path / "state.json"
    keeper = Keeper(lived, path)
    keeper.start()
    keeper.stop()
    again = world()
    restore(again, path)
    assert len(again.instances["b"].builds) == 3
