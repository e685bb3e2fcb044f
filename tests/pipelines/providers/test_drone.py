"""The Drone adapter against the sandbox: what is Drone's own."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.providers.base import Cause, HookTarget, StartRequest, State
from pipelines.providers.errors import (
    Forbidden,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unsupported,
)
from pipelines.sandbox.objects import Ask, Person
from portal.credentials import Secret
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import ended, make_adapter, until

APP = "acme/app"
LABELS = {
    "person": "Ana Lima",
    "team": "payments",
    "service": "component:default/app",
    "repository": "https://git.example/acme/app",
    "environment": "staging",
}
STEPS = [{"name": "Build", "seconds": 1}]
GATED = [{"name": "release", "gate": True}, {"name": "Deploy", "seconds": 1}]
OCTOCAT = Person("octocat", "Octo Cat", "octocat@acme.example")


def ask(request_id: str = "id-1", pipeline: str = APP, **fields) -> StartRequest:
    return StartRequest(pipeline, request_id, **{"branch": "main", "labels": LABELS, **fields})


@pytest.fixture
def server(sandbox):
    sandbox.drone.pipeline(APP, steps=STEPS, branches=["main", "dev"])
    return sandbox.drone


@pytest.fixture
def adapter(server):
    return make_adapter("drone", server.base_url, server.credential)


def pushed(server, pipeline=APP, **fields):
    """A build that somebody's push caused."""
    found = server.instance.pipelines[pipeline]
    return server.instance.start(found, Ask(who=OCTOCAT, source="scm", **fields))


def started(adapter, request_id="id-1", **fields):
    return adapter.start(ask(request_id, **fields)).build


# --- What travels --------------------------------------------------------------------------------
def test_people_read_who_asked_in_the_message(adapter, server):
    started(adapter, message="Try the new cache")
    said = server.build(APP, 1).message
    assert said.splitlines() == [
        "Try the new cache",
        "",
        "Requested by Ana Lima via Stagedoor",
        "team: payments",
        "service: component:default/app",
        "repository: https://git.example/acme/app",
        "environment: staging",
        "Stagedoor request id-1",
    ]
    assert adapter.get_build(APP, "1").message == "Try the new cache"


def test_a_long_message_is_cut_and_the_labels_stay(adapter, server):
    started(adapter, message="x" * 5_000)
    said = server.build(APP, 1).message
    assert len(said) == 2_000
    assert said.endswith("\nStagedoor request id-1")


@pytest.mark.nasty("drone-13")
def test_nothing_but_parameters_travels_as_parameters(adapter, server, sandbox):
    """Drone makes a variable of everything in the query; the message goes as form body."""
    started(adapter, parameters={"RELEASE": "v1 &x=ü"}, message="secret plans")
    carried = server.build(APP, 1).env
    assert carried["RELEASE"] == "v1 &x=ü"
    assert {name for name in carried if not name.startswith("STAGEDOOR_")} == {"RELEASE"}
    (entry,) = sandbox.requests("drone", "start")
    assert "plans" not in entry.path


@pytest.mark.parametrize(
    "name",
    [
        "branch",
        "commit",
        "access_token",
        "message",
        "Action",
        "target",
        "DRONE_REPO",
        "CI_X",
        "plugin_registry",
        "A-B",
    ],
)
def test_names_that_are_drones_own_are_refused(adapter, sandbox, name):
    with pytest.raises(Rejected):
        adapter.start(ask(parameters={name: "x"}))
    assert sandbox.accepted("drone") == []


# --- Running again -------------------------------------------------------------------------------
def test_a_retry_of_what_was_started_by_hand_is_a_new_start(adapter, server):
    started(adapter, branch="dev", parameters={"RELEASE": "v1"}, message="Try")
    other = {**LABELS, "person": "Bob"}
    again = adapter.retry(ask("id-2", labels=other), "1").build
    assert (again.number, again.branch, again.request_id, again.cause) == (
        2,
        "dev",
        "id-2",
        Cause.API,
    )
    seen = server.build(APP, 2)
    assert (seen.env["RELEASE"], seen.env["STAGEDOOR_PERSON"]) == ("v1", "Bob")
    assert seen.message.startswith("Try\n\nRequested by Bob via Stagedoor\n")
    assert "Ana" not in seen.message


def test_a_retry_of_a_push_stays_a_push_and_is_found_by_its_id(adapter, server):
    pushed(server, message="Fix it")
    again = adapter.retry(ask("id-2"), "1").build
    assert (again.number, again.request_id, again.cause) == (2, "id-2", Cause.API)
    row = server.build(APP, 2)
    assert (row.details["event"], row.details["parent"]) == ("push", 1)
    assert row.env["STAGEDOOR_PERSON"] == "Ana Lima"
    assert adapter.find_by_request_id(APP, "id-2").build.number == 2


def test_a_retry_of_a_retry_names_who_asked_last(adapter, server):
    """Drone lets the copied labels win, so the first build is run again."""
    pushed(server)
    adapter.retry(ask("id-2"), "1")
    third = adapter.retry(ask("id-3", labels={**LABELS, "person": "Bob"}), "2").build
    row = server.build(APP, third.number)
    assert (row.env["STAGEDOOR_PERSON"], row.details["parent"]) == ("Bob", 1)
    assert adapter.find_by_request_id(APP, "id-3").build.number == 3
    assert adapter.find_by_request_id(APP, "id-2").build.number == 2


def test_a_copy_that_somebody_made_in_drone_is_not_the_request(adapter, server, sandbox):
    started(adapter)
    pushed(server)
    adapter.retry(ask("id-2"), "2")
    for number in (1, 3):
        row = server.build(APP, number)
        details = {**row.details, "parent": number, "trigger": "octocat"}
        found = server.instance.pipelines[APP]
        server.instance.start(found, Ask(who=OCTOCAT, env=row.env, details=details))
    assert adapter.get_build(APP, "4").request_id == ""
    assert adapter.get_build(APP, "5").request_id == ""
    assert adapter.find_by_request_id(APP, "id-1").build.number == 1
    assert adapter.find_by_request_id(APP, "id-2").build.number == 3


@pytest.mark.parametrize("route", ["retry", "promote"])
def test_a_lost_answer_to_running_again_is_found(adapter, server, sandbox, route):
    pushed(server)
    server.fault("lose_answer", route, times=1)
    how = {"retry": ("1",), "promote": ("1", "staging")}[route]
    with pytest.raises(OutcomeUnknown):
        getattr(adapter, route)(ask("id-2"), *how)
    assert adapter.find_by_request_id(APP, "id-2").build.number == 2
    assert len(sandbox.accepted("drone")) == 1


def test_a_retry_of_a_promotion_goes_to_the_same_target(adapter, server):
    pushed(server)
    adapter.promote(ask("id-2", parameters={"NOTE": "a"}), "1", "staging")
    again = adapter.retry(ask("id-3", labels={**LABELS, "person": "Bob"}), "2").build
    row = server.build(APP, again.number)
    assert (row.details["event"], row.details["deploy_to"]) == ("promote", "staging")
    assert (row.env["NOTE"], row.env["STAGEDOOR_PERSON"]) == ("a", "Bob")
    assert adapter.find_by_request_id(APP, "id-3").build.number == 3


def test_a_rollback_that_runs_again_is_a_rollback(adapter, server):
    pushed(server, details={"event": "rollback", "deploy_to": "staging"})
    row = server.build(APP, adapter.retry(ask("id-2"), "1").build.number)
    assert (row.details["event"], row.details["deploy_to"]) == ("rollback", "staging")


def test_a_build_with_a_broken_configuration_is_found_by_its_message(adapter, server):
    """It has no parameters, so its message is all that it carries."""
    server.pipeline(APP, details={"broken": "yaml: unmarshal errors"})
    server.fault("lose_answer", "start", times=1)
    with pytest.raises(OutcomeUnknown):
        started(adapter)
    found = adapter.find_by_request_id(APP, "id-1").build
    assert (found.state, found.raw_state) == (State.FAILED, "error")
    assert found.reason == "yaml: unmarshal errors"


def test_the_look_up_goes_two_pages_deep_and_further_while_builds_are_new(adapter, server, sandbox):
    asked_at = datetime.now(UTC)
    started(adapter)
    for _ in range(150):
        pushed(server)
    assert adapter.find_by_request_id(APP, "id-1").build.number == 1
    for _ in range(200):
        pushed(server)
    assert adapter.find_by_request_id(APP, "id-1") is None
    assert adapter.find_by_request_id(APP, "id-1", since=asked_at).build.number == 1
    before = len(sandbox.requests("drone", "builds"))
    later = asked_at + timedelta(days=1)
    assert adapter.find_by_request_id(APP, "id-1", since=later) is None
    assert len(sandbox.requests("drone", "builds")) == before + 3


# --- Gates -------------------------------------------------------------------------------------
def test_each_blocked_stage_is_a_gate_of_its_own(adapter, server):
    second = {"name": "production", "gate": True}
    server.pipeline(APP, steps=[*GATED, second, {"name": "Smoke", "seconds": 1}])
    started(adapter)
    assert [gate.name for gate in adapter.gates(APP, "1")] == ["release", "production"]
    adapter.unblock(ask(), "1", "1")
    assert [gate.id for gate in adapter.gates(APP, "1")] == ["2"]
    until(lambda: adapter.get_build(APP, "1").state is State.WAITING)
    adapter.unblock(ask(), "1", "2")
    assert ended(adapter, adapter.get_build(APP, "1")).state is State.PASSED
    names = [step.name for step in adapter.steps(APP, "1")]
    assert names == ["release / Deploy", "production / Smoke"]


def test_an_approval_needs_the_admin_right_and_takes_no_parameters(adapter, server):
    server.pipeline(APP, steps=GATED)
    started(adapter)
    server.add_token("writer", login="w", rights=["read", "write"])
    other = make_adapter("drone", server.base_url, "writer")
    with pytest.raises(Forbidden, match="admin"):
        other.unblock(ask(), "1", "1")
    with pytest.raises(Rejected, match="no parameters"):
        adapter.unblock(ask(parameters={"A": "1"}), "1", "1")
    assert adapter.get_build(APP, "1").state is State.WAITING


def test_an_approval_that_came_too_late_is_refused(adapter, server):
    server.pipeline(APP, steps=GATED)
    started(adapter)
    server.fault("fail", "unblock", times=1, status=400)
    with pytest.raises(Rejected):
        adapter.unblock(ask(), "1", "1")


# --- Activation and promotion --------------------------------------------------------------------
def test_activation_says_what_an_operator_has_to_do_and_no_secret(adapter, server):
    server.pipeline("acme/new", active=False)
    hook = HookTarget("https://stagedoor.example/hooks/drone/", Secret("hush"))
    said = " ".join(adapter.activate("acme/new", hook))
    assert "DRONE_WEBHOOK_ENDPOINT to https://stagedoor.example/hooks/drone/" in said
    assert "hush" not in said
    assert adapter.get_pipeline("acme/new").runnable
    assert adapter.activate("acme/new", None) == ["acme/new was switched on already."]


def test_activation_needs_the_admin_right(server):
    server.pipeline("acme/new", active=False)
    server.add_token("writer", login="w", rights=["read", "write"])
    with pytest.raises(Forbidden):
        make_adapter("drone", server.base_url, "writer").activate("acme/new", None)
    assert not server.instance.pipelines["acme/new"].active


def test_a_new_repository_is_fetched_before_it_is_activated(adapter, server, sandbox):
    server.pipeline("acme/new", active=False, details={"unsynced": True})
    assert adapter.activate("acme/new", None) == ["acme/new is switched on in Drone."]
    with pytest.raises(NotFound):
        adapter.activate("acme/none", None)


def test_a_page_is_no_acknowledgement(adapter, server):
    server.pipeline(APP, steps=GATED)
    started(adapter)
    for route, call in (
        ("unblock", lambda: adapter.unblock(ask(), "1", "1")),
        ("cancel", lambda: adapter.cancel(APP, "1")),
        ("start", lambda: started(adapter)),
    ):
        server.fault("html200", route, times=1)
        with pytest.raises(OutcomeUnknown):
            call()


def test_an_edition_without_promotions_says_so(adapter, server):
    server.instance.options["edition"] = "oss"
    pushed(server)
    with pytest.raises(Unsupported, match="edition"):
        adapter.promote(ask(), "1", "staging")


def test_a_promotion_can_not_smuggle_another_target(adapter, server):
    pushed(server)
    with pytest.raises(Rejected):
        adapter.promote(ask(parameters={"target": "production"}), "1", "staging")
    adapter.promote(ask(), "1", "staging")
    assert server.build(APP, 2).details["deploy_to"] == "staging"


# --- The connection test -------------------------------------------------------------------------
def test_rights_that_the_account_lacks_are_named(server):
    server.add_token("reader", login="reader", rights=["read"])
    result = make_adapter("drone", server.base_url, "reader").check()
    assert [right for right, _ in result.lacks] == [
        "write (seen in acme/app)",
        "admin (seen in acme/app)",
    ]
    server.instance.options["admins"] = ["reader"]
    server.instance.options["machines"] = ["reader"]
    assert make_adapter("drone", server.base_url, "reader").check().unused[0][0] == "server admin"


def test_a_machine_without_admin_is_told_what_it_sees(server, adapter):
    server.instance.options["machines"] = ["stagedoor"]
    assert any("machine user" in note for note in adapter.check().notes)


def test_an_account_without_repositories_is_told_to_synchronize(sandbox):
    drone = sandbox.drone
    notes = make_adapter("drone", drone.base_url, drone.credential).check().notes
    assert any("synchronized" in note for note in notes)


def test_drones_successor_is_named():
    def harness(handler):
        if handler.path == "/api/v1/system/config":
            json_reply('{"user_signup_allowed": true}')(handler)
        else:
            reply(200, "<html></html>", Content_Type="text/html")(handler)

    with serve(harness) as httpd, pytest.raises(Misconfigured, match="Harness Open Source"):
        make_adapter("drone", httpd.url, "token").check()


@pytest.mark.parametrize("credential", ["", "two words", "tök", "line\n"])
def test_a_token_is_one_word(credential):
    with pytest.raises(Misconfigured):
        make_adapter("drone", "https://drone.example", credential)


# --- Annotations and lists -----------------------------------------------------------------------
def test_our_own_annotation_names_repositories():
    adapter = make_adapter("drone", "https://drone.example", "token")
    found = adapter.parse_annotations({"drone.io/repo": "acme/app, ci-2:acme/other/"})
    assert [(c.server, c.pipeline) for c in found] == [("", "acme/app"), ("ci-2", "acme/other")]


def test_a_thousand_builds_are_read_page_by_page(adapter, server, sandbox):
    for _ in range(120):
        server.finish(APP, pushed(server).number)
    assert [b.number for b in adapter.list_builds(APP, limit=110)] == list(range(120, 10, -1))
    assert len(sandbox.requests("drone", "builds")) == 2


def test_only_a_few_moving_builds_of_a_list_are_looked_at(adapter, server, sandbox):
    sandbox.speed = 0.01
    for _ in range(20):
        pushed(server)
    assert len(adapter.list_builds(APP)) == 20
    assert len(sandbox.requests("drone", "build")) == 10


def test_a_repository_without_a_default_branch_starts_of_a_named_one_only():
    repo = {"namespace": "acme", "name": "new", "active": True, "permissions": {"write": True}}
    with serve(json_reply(json.dumps(repo))) as httpd, pytest.raises(Rejected, match="choose"):
        make_adapter("drone", httpd.url, "token").start(StartRequest("acme/new", "r-1"))
    assert [asked.method for asked in httpd.asked] == ["GET"]
