"""The sandbox's Drone gives what the real one gave: status, keys and JSON types, all the way down.

The recordings are a real server's; what the sandbox can't be asked for is listed with the reason.
"""

from typing import Any

import pytest
import requests

from pipelines.sandbox.objects import Ask, Person
from tests.pipelines.providers.drone_recordings import ANSWERS, recorded

OCTOCAT = Person("octocat", "Octo Cat", "octocat@acme.example")
# What Go leaves out where it is empty; one item of a list may have it and the next one not.
OMITTED = {"title", "error", "deploy_to", "params", "parent", "cron", "machine", "depends_on"}
OMITTED |= {"steps", "started", "stopped", "build"}

# name -> what the sandbox is asked for; nothing for what the recording asked for
C, P, W = "/api/repos/acme/checkout", "/api/repos/acme/protected", "/api/repos/acme/webhooks"
GIVEN = {
    "build_approve": f"{P}/builds/1/approve/1",
    "build_approve_again": f"{P}/builds/2/approve/1",
    "build_approve_bad_stage": f"{P}/builds/1/approve/9",
    "build_cancel_finished": f"{C}/builds/3",
    "build_cancel_pending": "/api/repos/acme/slow/builds/1",
    "build_cancel_running": "/api/repos/acme/slow/builds/2",
    "build_create": "",
    "build_create2": "",
    "build_create_bad_branch": "",
    "build_create_bad_commit": "",
    "build_create_blocked": "",
    "build_create_branch": "",
    "build_create_failing": "",
    "build_create_forbidden_nonwriter": "",
    "build_create_inactive": "/api/repos/acme/off/builds",
    "build_decline": f"{P}/builds/1/decline/1",
    "build_find_blocked": f"{P}/builds/1",
    "build_find_declined": f"{P}/builds/3",
    "build_find_error_yaml": f"{C}/builds/1",
    "build_find_failure": f"{W}/builds/1",
    "build_find_killed": "/api/repos/acme/slow/builds/3",
    "build_find_missing": "",
    "build_find_not_number": "",
    "build_find_pending": f"{C}/builds/7",
    "build_find_promote": f"{C}/builds/6",
    "build_find_pull_request": f"{C}/builds/5",
    "build_find_running": "/api/repos/acme/slow/builds/4",
    "build_find_success": f"{C}/builds/3",
    "build_find_tag": f"{C}/builds/99",
    "build_latest_branch": "",
    "build_latest_empty": "/api/repos/acme/off/builds/latest",
    "build_logs_1_1_clone": "",
    "build_logs_1_2_compile": "",
    "build_logs_1_3_test": "",
    "build_logs_bad_number": "",
    "build_logs_failed_step": f"{W}/builds/1/logs/1/3",
    "build_logs_missing_stage": "",
    "build_logs_missing_step": "",
    "build_logs_running_step": "/api/repos/acme/slow/builds/4/logs/1/2",
    "build_logs_skipped_step": f"{W}/builds/1/logs/1/4",
    "build_promote": "",
    "build_promote_no_target": "",
    "build_restart": "",
    "build_restart_missing": "",
    "build_rollback": "",
    "builds_branches": "",
    "builds_deployments": "",
    "builds_empty": "/api/repos/acme/off/builds",
    "builds_inactive": "/api/repos/acme/off/builds",
    "builds_incomplete": "",
    "builds_list": "",
    "builds_list_anonymous": "",
    "builds_list_branch": "",
    "builds_list_page2": "",
    "builds_list_per_page": "",
    "builds_list_per_page_huge": "",
    "builds_list_private_anonymous": "",
    "builds_list_tag": "",
    "builds_pulls": "",
    "cron_list_empty": "",
    "healthz": "",
    "repo_activate": "",
    "repo_activate_again": "",
    "repo_activate_protected": "",
    "repo_activate_webhooks": "",
    "repo_delete_remove": "",
    "repo_disable": "",
    "repo_find": "",
    "repo_find_disabled": "",
    "repo_find_inactive": "/api/repos/acme/off",
    "repo_find_missing": "",
    "repo_reactivate": "",
    "repos_all_admin": "",
    "repos_latest": "",
    "secrets_list_empty": "",
    "user": "",
    "user_anonymous": "",
    "user_bad_token": "",
    "user_builds": "",
    "user_builds_recent": "",
    "user_nonadmin": "",
    "user_repos": "",
    "user_repos_sync": "",
    "users_forbidden_nonadmin": "",
    "users_list": "",
    "version": "",
    "write_as_reader_restart": "",
}
NOT_GIVEN = {
    "badge_svg": "a picture",
    "build_find_killed_running": "same object as build_cancel_running, at another moment",
    "build_latest": "a build by cron, which the sandbox starts as a push",
    "builds_incomplete_v2": "nobody asks for it",
    "cc_xml": "nobody asks for it",
    "cron_create": "the sandbox has no crons",
    "cron_exec": "the sandbox has no crons",
    "cron_list": "the sandbox has no crons",
    "hook_pull_request": "what a source host sends",
    "hook_push": "what a source host sends",
    "hook_push_bad_signature": "what a source host sends",
    "hook_push_protected": "what a source host sends",
    "hook_push_protected2": "what a source host sends",
    "hook_tag": "what a source host sends",
    "queue_items": "the administrators' queue",
    "queue_items_running": "the administrators' queue",
    "repo_patch_bad": "settings are not changed here",
    "repo_patch_protected": "settings are not changed here",
    "system_stats": "the administrators' numbers",
    "user_repos_before_sync": "the sandbox has no moment before its first synchronization",
    "users_create": "accounts are not made here",
    "users_create_dup": "accounts are not made here",
    "varz": "the administrators' numbers",
}


@pytest.fixture
def server(sandbox):
    """Repositories and builds such as were recorded."""
    sandbox.speed = 1
    drone = sandbox.drone
    drone.instance.options["admins"] = ["stagedoor"]
    drone.add_token("other", login="octocat")
    public = {"visibility": "public", "clone": True}
    two = [{"name": "compile"}, {"name": "test"}]
    drone.pipeline("acme/checkout", steps=two, branches=["main", "feature/pay"], details=public)
    red = [{"name": "lint"}, {"name": "unit", "outcome": "failed"}, {"name": "after"}]
    drone.pipeline("acme/webhooks", steps=red, details=public)
    gate = {"name": "default", "gate": True}
    drone.pipeline("acme/protected", steps=[gate, {"name": "one"}])
    drone.pipeline("acme/slow", steps=[{"name": "one", "seconds": 10**6}], details={"clone": True})
    drone.pipeline("acme/off", active=False)
    for number in range(1, 8):
        _checkout(drone, number)
    _build(drone, "acme/webhooks")
    for _ in range(3):
        _build(drone, "acme/protected", source="scm", who=OCTOCAT, message="Pushed change\n")
    drone.instance.cancel(drone.build("acme/protected", 3), "declined")
    for number in range(1, 5):
        _build(
            drone, "acme/slow", starts_at=None if number in (2, 4) else drone.instance.now() + 99
        )
    drone.instance.cancel(drone.build("acme/slow", 3))
    sandbox.advance(30)
    drone.finish("acme/protected", 2)
    return drone


def _build(drone, pipeline: str, **fields: Any):
    values = {"who": Person("stagedoor", "Stagedoor", "ci@acme.example"), **fields}
    found = drone.instance.pipelines[pipeline]
    return drone.instance.start(found, Ask(**{"branch": "main", **values}))


def _checkout(drone, number: int) -> None:
    """1 and 2: broken, 3: passed with parameters, 4: a push, 5: a pull request, 6: promoted,
    7: waiting for a runner."""
    name, env = "acme/checkout", {"RELEASE": "v1.2"}
    again = {"parent": 3, "event": "promote", "deploy_to": "staging"}
    pull = {"event": "pull_request", "action": "opened", "title": "Try", "ref": "refs/pull/7/head"}
    later = drone.instance.now() + 10**6
    match number:
        case 1 | 2:
            build = _build(drone, name, details={"error": "yaml: unmarshal errors"})
            build.course.steps = ()
            drone.instance.finish(build, "failed")
        case 3:
            _build(drone, name, env=env)
        case 4:
            _build(drone, name, source="scm", who=OCTOCAT)
        case 5:
            _build(drone, name, source="scm", who=OCTOCAT, details=pull)
        case 6:
            _build(drone, name, env=env, details=again)
        case 7:
            _build(drone, name, env=env, starts_at=later)


def ask(server, name: str) -> requests.Response:
    taken = recorded(name)["request"]
    path = GIVEN[name] or taken["path"]
    token = {"none": "", "bearer": server.token}[taken["auth"]]
    if name in ("user_nonadmin", "users_forbidden_nonadmin"):
        token = "other"
    if name == "user_bad_token":
        token = "wrong"
    if name == "repo_find_disabled":
        server.instance.pipelines["acme/webhooks"].active = False
    return requests.request(
        taken["method"],
        server.base_url + path,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        json=taken["body"],
        timeout=10,
        allow_redirects=False,
    )


def shape_of(value: Any, other: Any, where: str, loose: bool = False) -> list[str]:
    """Where two JSON values differ in keys or types; `loose` allows for what Go leaves out."""
    if type(value) is not type(other):
        return [f"{where}: {type(value).__name__} and {type(other).__name__}"]
    if isinstance(value, dict):
        differ = set(value) ^ set(other)
        free = OMITTED if loose else set()
        found = [f"{where}: {key}" for key in sorted(differ - free)]
        for key in set(value) & set(other):
            # What a person chose to send is no matter of shape.
            if key != "params":
                found += shape_of(value[key], other[key], f"{where}.{key}", loose)
        return found
    if isinstance(value, list) and value:
        if not other:
            return [f"{where}: empty"]
        return [
            line for item in other for line in shape_of(value[0], item, f"{where}[]", loose=True)
        ]
    return []


def test_every_recording_is_compared_or_left_out_for_a_reason():
    assert sorted([*GIVEN, *NOT_GIVEN]) == ANSWERS


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_an_answer_has_the_status_keys_and_types_of_the_real_one(server, name):
    real, ours = recorded(name), ask(server, name)
    assert ours.status_code == real["status"], ours.text
    if real.get("json") is None:
        assert ours.text == real.get("text", "")
        return
    kinds = {key.lower(): value for key, value in real["headers"]}
    assert ours.headers["Content-Type"].partition(";")[0] == kinds["content-type"].partition(";")[0]
    assert shape_of(real["json"], ours.json(), name) == []
