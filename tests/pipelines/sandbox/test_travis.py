"""The sandbox's Travis CI, where PyTravisCI does not look: fields, refusals, limits, webhooks."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pipelines.sandbox.definitions import load_instance
from pipelines.sandbox.engine import World
from pipelines.sandbox.objects import Ask as Wanted
from pipelines.sandbox.state import restore, save
from pipelines.sandbox.travis import ids, requesting
from tests.httpd import reply, serve
from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle

Ask = Callable[..., requests.Response]
SHOP = "repo/acme%2Fshop"
# The attributes that travis-ci/travis-api's renderers name (v3, standard and minimal).
MINIMAL = {
    "repository": {"id", "name", "slug"},
    "branch": {"name"},
    "commit": {"id", "sha", "ref", "message", "compare_url", "committed_at"},
    "stage": {"id", "number", "name", "state", "started_at", "finished_at"},
    "user": {"id", "login", "name", "vcs_type", "ro_mode"},
    "message": {"id", "level", "key", "code", "args", "src", "line"},
    "build": {
        *("id", "number", "state", "duration", "event_type", "previous_state", "private"),
        *("pull_request_title", "pull_request_number", "started_at", "finished_at", "priority"),
    },
}
STANDARD = {
    "build": MINIMAL["build"]
    | {"repository", "branch", "tag", "commit", "jobs", "stages", "created_by", "updated_at"},
    "job": {
        *("id", "allow_failure", "number", "state", "started_at", "finished_at", "build", "queue"),
        *("repository", "commit", "owner", "stage", "created_at", "updated_at", "private"),
        *("restarted_at", "restarted_by", "vm_size"),
    },
    "stage": MINIMAL["stage"] | {"jobs"},
    "request": {
        *("id", "state", "result", "message", "pull_request_mergeable", "repository", "commit"),
        *("branch_name", "builds", "owner", "created_at", "event_type", "base_commit"),
        *("head_commit", "messages", "config", "raw_configs"),
    },
    "repository": {
        *("id", "name", "slug", "description", "github_id", "vcs_id", "vcs_type", "active"),
        *("github_language", "private", "owner", "owner_name", "vcs_name", "default_branch"),
        *("starred", "managed_by_installation", "active_on_org", "migration_status", "shared"),
        *("history_migration_status", "config_validation", "server_type", "scan_failed_at"),
        "build_count",
    },
    "user": {
        *("id", "login", "name", "github_id", "vcs_id", "vcs_type", "avatar_url", "education"),
        *("allow_migration", "allowance", "ro_mode", "custom_keys", "trial_allowed"),
        *("account_env_vars", "email", "is_syncing", "synced_at", "recently_signed_up"),
        *("secure_user_hash", "confirmed_at", "internal", "last_activity_at", "memberships"),
    },
    "log": {"id", "content", "log_parts"},
}


@pytest.fixture
def travis(sandbox: SandboxHandle) -> InstanceHandle:
    sandbox.instances["travis"].pipeline("acme/shop", branches=["main", "dev"])
    return sandbox.instances["travis"]


def asker(handle: InstanceHandle) -> Ask:
    def ask(method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Travis-API-Version": "3", "Authorization": f"token {handle.token}"}
        given = {k: v for k, v in (headers | options.pop("headers", {})).items() if v}
        return requests.request(
            method, f"{handle.base_url}/{path}", headers=given, timeout=10, **options
        )

    return ask


@pytest.fixture
def ask(travis: InstanceHandle) -> Ask:
    return asker(travis)


def start(ask: Ask, **fields: Any) -> dict[str, Any]:
    return ask("POST", f"{SHOP}/requests", json={"request": fields}).json()


def built(ask: Ask, **fields: Any) -> dict[str, Any]:
    start(ask, **fields)
    return until(
        lambda: next(
            (b for b in ask("GET", f"{SHOP}/builds").json()["builds"] if b["finished_at"]), None
        )
    )


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object of an answer that tells its type."""
    if isinstance(value, list):
        return [found for item in value for found in objects(item)]
    if not isinstance(value, dict):
        return []
    inner = [found for item in value.values() for found in objects(item)]
    return [value, *inner] if "@representation" in value else inner


def test_every_object_has_the_attributes_of_its_representation(ask, travis):
    build = built(ask, message="Hello")
    travis.pipeline("acme/shop", branch_filter="main")
    number = start(ask, branch="dev")["request"]["id"]
    paths = [
        *("user", "repos", "owner/acme/repos", "owner/github/acme/repos", SHOP, f"{SHOP}/builds"),
        *(f"{SHOP}/requests", f"{SHOP}/request/{number}/messages", f"build/{build['id']}"),
        *(f"build/{build['id']}/jobs", f"build/{build['id']}/stages"),
        *(f"job/{build['jobs'][0]['id']}{word}" for word in ("", "/log")),
    ]
    seen = set()
    for path in paths:
        answer = ask("GET", path)
        assert answer.status_code == 200, path
        for shown in objects(answer.json()):
            kind, kept = shown["@type"], shown["@representation"]
            wanted = (MINIMAL if kept == "minimal" else STANDARD).get(kind)
            if wanted is not None:
                assert {name for name in shown if not name.startswith("@")} == wanted, (path, kind)
                seen.add((kind, kept))
    assert {kind for kind, kept in seen if kept == "standard"} == set(STANDARD)
    assert {kind for kind, kept in seen if kept == "minimal"} >= set(MINIMAL) - {"user"}


def test_pages_say_where_they_are_and_what_stood_there_is_a_link(ask, travis):
    travis.pipeline("acme/shop", history=5)
    answer = ask("GET", f"{SHOP}/builds?limit=2&offset=2&sort_by=id:desc").json()
    page = answer["@pagination"]
    assert (page["count"], page["is_first"], page["is_last"]) == (5, False, False)
    assert (page["next"]["offset"], page["prev"]["offset"], page["last"]["offset"]) == (4, 0, 4)
    assert [build["number"] for build in answer["builds"]] == ["3", "2"]
    assert answer["builds"][1]["repository"].keys() == {"@href"}
    last = ask("GET", f"{SHOP}/builds?limit=2&offset=4").json()["@pagination"]
    assert (last["is_last"], last["next"]) == (True, None)
    uncounted = ask("GET", f"{SHOP}/builds?limit=2&offset=40&skip_count=true").json()
    assert "count" not in uncounted["@pagination"]
    assert uncounted["@pagination"]["next"]
    assert uncounted["builds"] == []
    assert ask("GET", f"{SHOP}/builds?limit=1000").json()["@pagination"]["limit"] == 100


@pytest.mark.parametrize(
    ("headers", "path", "status", "said"),
    [
        ({"Authorization": ""}, "user", 403, "login_required"),
        ({"Authorization": "Bearer x"}, "user", 403, "wrong_credentials"),
        ({"Authorization": "token x"}, "user", 403, "access denied"),
        ({}, "repo/acme%2Fnone", 404, "not_found"),
        ({}, "repo/acme/shop", 404, "not_found"),
        ({}, "build/7", 404, "not_found"),
        ({}, "job/7/log", 404, "not_found"),
        ({}, f"{SHOP}/builds?limit=x", 400, "wrong_params"),
        ({}, f"{SHOP}/builds?sort_by=odd", 400, "wrong_params"),
        ({"Travis-API-Version": ""}, "user", 200, "hello"),
    ],
)
def test_refusals_are_those_of_the_layer_that_refuses(ask, headers, path, status, said):
    answer = ask("GET", path, headers=headers)
    assert answer.status_code == status
    assert said in answer.text
    plain = said == "access denied"
    assert answer.headers["Content-Type"].startswith("text/plain" if plain else "application/json")


def test_the_version_may_stand_in_the_path_or_in_accept(ask):
    for path, headers in (
        ("v3/user", {}),
        ("user", {"Accept": "application/vnd.travis-ci.3+json"}),
        ("api/user", {"Travis-API-Version": "3"}),
    ):
        answer = ask("GET", path, headers={"Travis-API-Version": "", **headers})
        assert answer.json()["login"] == "stagedoor"


def test_a_request_is_read_from_json_or_a_form_and_nothing_beside_it_counts(ask, travis):
    told = ask("POST", f"{SHOP}/requests", json={"branch": "dev", "request": {"message": "one"}})
    assert (told.status_code, told.json()["request"]["branch"]) == (202, "main")
    form = {"request.branch": "dev", "request.message": "two", "message": "no"}
    assert ask("POST", f"{SHOP}/requests", data=form).json()["request"]["message"] == "two"
    until(lambda: len(travis.builds("acme/shop")) == 2)
    assert {build.branch for build in travis.builds("acme/shop")} == {"main", "dev"}
    for wrong in ({"merge_mode": "odd"}, {"config": [1]}):
        answer = ask("POST", f"{SHOP}/requests", json={"request": wrong})
        assert answer.status_code == 400
    assert ask("POST", f"{SHOP}/requests", data="{").status_code == 400


def test_variables_reach_the_build_as_a_shell_reads_them(ask, travis):
    entries = ["A=1 B='two words'", {"C": "x"}]
    build = built(ask, config={"env": {"global": entries}})
    assert travis.build("acme/shop", int(build["number"])).env == {
        "A": "1",
        "B": "two words",
        "C": "x",
    }


def test_a_restart_keeps_the_number_and_erases_times_and_log(ask, sandbox):
    build = built(ask)
    job = build["jobs"][0]["id"]
    assert ask("GET", f"job/{job}/log.txt").text
    sandbox.speed = 0.2
    assert ask("POST", f"build/{build['id']}/restart").json()["state_change"] == "restart"
    again = ask("GET", f"build/{build['id']}").json()
    assert (again["state"], again["started_at"], again["number"]) == ("created", None, "1")
    assert ask("GET", f"job/{job}/log.txt").status_code == 404
    assert ask("GET", f"job/{job}").json()["restarted_at"]
    answer = ask("POST", f"build/{build['id']}/restart")
    assert (answer.status_code, answer.json()["error_type"]) == (409, "build_already_running")


def test_parts_of_a_log_follow_a_number_and_the_last_is_marked(ask):
    job = built(ask)["jobs"][0]["id"]
    whole = ask("GET", f"job/{job}/log_parts?content=true").json()["log_parts"]
    assert [part["number"] for part in whole] == [*range(len(whole))]
    assert [part["final"] for part in whole] == [False] * (len(whole) - 1) + [True]
    rest = ask("GET", f"job/{job}/log_parts?after=1&content=true").json()["log_parts"]
    assert rest == whole[2:]
    assert "content" not in ask("GET", f"job/{job}/log_parts").json()["log_parts"][0]
    assert "".join(part["content"] for part in whole) == ask("GET", f"job/{job}/log.txt").text


def test_writing_needs_the_right_that_it_needs(travis, ask):
    build = built(ask)
    travis.pipeline("acme/new", active=False)
    reader = {"Authorization": f"token {travis.add_token('reader', rights=['pull'])}"}
    for path in (f"{SHOP}/requests", f"build/{build['id']}/cancel", "repo/acme%2Fnew/activate"):
        answer = ask("POST", path, headers=reader, json={})
        assert (answer.status_code, answer.json()["error_type"]) == (403, "insufficient_access")
    assert ask("GET", SHOP, headers=reader).json()["@permissions"]["create_request"] is False
    assert ask("POST", "repo/acme%2Fnew/activate").json()["active"] is True


def test_a_burst_of_posts_shuts_the_token_out_of_everything(sandbox):
    handle = sandbox.add("travis", "travis-ban", post_limit=2)
    handle.pipeline("acme/shop")
    ask = asker(handle)
    answers = [ask("POST", f"{SHOP}/requests", json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 403]
    assert ask("GET", "user").text == "Forbidden\n"
    other = {"Authorization": f"token {handle.add_token('other', login='other')}"}
    assert ask("GET", "user", headers=other).status_code == 200


def test_what_waits_and_what_was_built_outlives_the_sandbox(tmp_path):
    names = ("acme/shop", "acme/site")
    pipelines = [{"name": name, "history": 2, "queue_seconds": 3600} for name in names]
    entry = {"vendor": "travis", "prefix": "travis", "pipelines": pipelines}
    lived, again = World(), World()
    load_instance(lived, entry)
    load_instance(again, {**entry, "pipelines": pipelines[::-1]})
    old, new = lived.instances["travis"], again.instances["travis"]
    config = {"env": {"global": ["A=1"]}}
    asked = requesting.enter(old, old.pipelines["acme/shop"], Wanted(details={"config": config}))
    save(lived, tmp_path / "state.json")
    restore(again, tmp_path / "state.json")
    shop = new.pipelines["acme/shop"]
    waiting = requesting.one(new, shop, asked.id)
    assert (waiting.state, waiting.config) == ("pending", config)
    for build in old.pipelines["acme/shop"].builds.values():
        assert ids.build_of(new, ids.build_id(old, build)).number == build.number
    shop.details["first_name"] = "acme/shop"
    new.pipelines["acme/till"] = new.pipelines.pop("acme/shop")
    shop.name = "acme/till"
    assert ids.repository_of(new, ids.repository_id(new, shop)) is shop


def test_webhooks_are_signed_with_the_key_that_config_tells(sandbox, ask, travis):
    pem = ask("GET", "config", headers={"Authorization": ""}).json()
    key = load_pem_public_key(pem["config"]["notifications"]["webhook"]["public_key"].encode())
    with serve(reply(200)) as receiver:
        with sandbox.world.lock:
            travis.instance.add_hook(f"{receiver.url}/hook", "no secret")
        build = built(ask, message="Größe ✓ + %")
        until(lambda: len(receiver.asked) >= 2)
    payloads = []
    for asked in receiver.asked:
        payload = parse_qs(asked.body.decode())["payload"][0]
        signature = base64.b64decode(asked.headers["Signature"])
        key.verify(signature, payload.encode(), PKCS1v15(), SHA1())
        payloads.append(json.loads(payload))
    assert [payload["status_message"] for payload in payloads] == ["Pending", "Passed"]
    assert {payload["id"] for payload in payloads} == {build["id"]}
    assert payloads[1]["repository"]["owner_name"] == "acme"
    assert (payloads[1]["message"], payloads[1]["pull_request"]) == ("Größe ✓ + %", False)


def test_pages_behind_links_need_no_sign_in(ask, travis):
    build = built(ask, message="<b>Hello</b>")
    travis.pipeline("acme/shop", branch_filter="dev")
    start(ask)
    for path in ("", "github/acme/shop", "acme/shop", "github/acme/shop/requests"):
        assert requests.get(f"{travis.base_url}/{path}", timeout=10).status_code == 200
    for vcs in ("github/", ""):
        address = f"{travis.base_url}/{vcs}acme/shop/builds/{build['id']}"
        page = requests.get(address, timeout=10).text
        assert "&lt;b&gt;Hello" in page
        assert "exited with 0" in page
    assert requests.get(f"{travis.base_url}/github/acme/none", timeout=10).status_code == 404
    assert requests.get(f"{travis.base_url}/acme/shop/builds/7", timeout=10).status_code == 404
