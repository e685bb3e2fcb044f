"""Plain HTTP to the sandbox's Bitbucket, for what the third-party clients do not look at."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
import requests

from tests.httpd import reply, serve
from tests.pipelines.sandbox.waiting import until

SHOP = "repositories/acme/shop"


@pytest.fixture
def server(sandbox):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline("acme/shop", steps=[{"name": "Build", "lines": ["one", "two"]}])
    return handle


@pytest.fixture
def ask(server):
    """`ask(method, path, **)` with an access token; redirects are not followed."""

    def send(method: str, path: str, token: str = "", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or server.token}"} | options.pop("headers", {})
        url = f"{server.base_url}/{path}"
        return requests.request(
            method, url, headers=headers, timeout=10, allow_redirects=False, **options
        )

    return send


def target(**fields: Any) -> dict[str, Any]:
    named = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main", **fields}
    return {"target": named}


def started(ask, **fields: Any) -> dict[str, Any]:
    answer = ask("POST", f"{SHOP}/pipelines", json=target(**fields))
    assert answer.status_code == 201
    return answer.json()


def ended(ask, number: int = 1) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = ask("GET", f"{SHOP}/pipelines/{number}").json()
        return found if found["completed_on"] else None

    return until(look)


# --- Credentials ---------------------------------------------------------------------------------
def consumer(server, key: str = "stagedoor", secret: str = "", **fields: str) -> requests.Response:
    basic = base64.b64encode(f"{key}:{secret or server.token}".encode()).decode()
    return requests.post(
        f"{server.base_url.removesuffix('/2.0')}/site/oauth2/access_token",
        headers={"Authorization": f"Basic {basic}"},
        data={"grant_type": "client_credentials", **fields},
        timeout=10,
    )


def test_a_consumer_gets_tokens_that_end(server, ask, sandbox):
    given = consumer(server).json()
    assert (given["token_type"], given["expires_in"]) == ("bearer", 7200)
    assert ask("GET", SHOP, given["access_token"]).headers["X-Credential-Type"] == "oauth"
    sandbox.advance(7201)
    assert ask("GET", SHOP, given["access_token"]).status_code == 401
    assert consumer(server, secret="wrong").status_code == 401
    assert consumer(server, grant_type="password").status_code == 400


def test_scopes_stand_in_headers_and_in_the_detail_of_a_refusal(server, ask):
    server.add_token("reader", login="ana", rights=["read:repository:bitbucket"])
    answer = ask("GET", f"{SHOP}/pipelines", "reader")
    assert answer.status_code == 403
    assert answer.json()["error"]["detail"] == {"required": ["pipeline"], "granted": ["repository"]}
    assert answer.headers["X-OAuth-Scopes"] == "repository"
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "pipeline"
    assert ask("GET", SHOP, "nobody").status_code == 401


def test_only_access_tokens_are_told_their_limit(server, ask):
    server.instance.options["limit"] = 5
    near = [ask("GET", SHOP).headers["X-RateLimit-NearLimit"] for _ in range(5)]
    assert near == ["false", "false", "false", "false", "true"]
    limited = ask("GET", SHOP)
    assert (limited.status_code, limited.headers["Content-Type"]) == (
        429,
        "text/plain;charset=utf-8",
    )
    assert "Retry-After" not in limited.headers
    server.instance.options["limit"] = 50
    basic = requests.get(
        f"{server.base_url}/{SHOP}", auth=("stagedoor@ci.example", server.token), timeout=10
    )
    assert basic.status_code == 200
    assert "X-RateLimit-Limit" not in basic.headers


# --- Lists ---------------------------------------------------------------------------------------
def test_pages_link_to_the_next_unless_fields_forgot_it(server, ask):
    for number in range(1_200):
        server.pipeline(f"acme/r{number:04}")
    path, seen = "repositories/acme?pagelen=100&fields=next,values.full_name,values.mainbranch", []
    while path:
        page = ask("GET", path).json()
        assert set(page) <= {"values", "next"}
        seen += [row["full_name"] for row in page["values"]]
        path = page.get("next", "").removeprefix(f"{server.base_url}/")
    assert len(seen) == len(set(seen)) == 1_201
    forgot = ask("GET", "repositories/acme?pagelen=100&fields=values.full_name").json()
    assert "next" not in forgot
    for pagelen in ("101", "0", "x"):
        assert ask("GET", f"repositories/acme?pagelen={pagelen}").status_code == 400


@pytest.mark.parametrize("path", ["repositories", "workspaces"])
def test_lists_over_all_workspaces_are_gone(ask, path):
    assert ask("GET", path).status_code == 410


def test_runs_are_filtered_by_what_is_known_and_q_is_ignored(server, ask):
    server.pipeline("acme/shop", branches=("main", "dev"))
    for branch in ("main", "dev", "main"):
        started(ask, ref_name=branch)

    def numbers(query: str) -> list[int]:
        rows = ask("GET", f"{SHOP}/pipelines?{query}").json()["values"]
        return [row["build_number"] for row in rows]

    assert numbers("") == numbers("q=x") == [1, 2, 3]
    assert numbers("sort=-created_on&target.branch=main") == [3, 1]
    assert numbers("trigger_type=PUSH") == []
    assert numbers("creator.uuid=%7Bnobody%7D") == []
    server.finish("acme/shop", 2, "failed")
    assert numbers("status=FAILED") == [2]
    assert numbers("status=COMPLETED") == []


def test_a_repository_answers_to_its_uuid_in_any_workspace(ask):
    uuid = ask("GET", SHOP).json()["uuid"]
    found = ask("GET", f"repositories/%7B%7D/{uuid.replace('{', '%7B').replace('}', '%7D')}")
    assert found.json()["full_name"] == "acme/shop"
    twice = ask("GET", f"repositories/%7B%7D/{uuid.replace('{', '%257B').replace('}', '%257D')}")
    assert twice.status_code == 404


def test_an_unknown_address_is_a_page_about_who_looks(ask):
    answer = ask("GET", f"{SHOP}/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html;charset=utf-8")
    assert "stagedoor" in answer.text


# --- Runs ----------------------------------------------------------------------------------------
def test_a_run_begins_without_a_selector_and_steps(ask, sandbox):
    sandbox.speed = 0.1
    made = started(ask)
    assert (made["state"]["name"], made["target"]["selector"]) == ("PARSING", None)
    assert ask("GET", f"{SHOP}/pipelines/1/steps").json()["values"] == []
    assert "variables" not in made
    assert made["links"]["self"]["href"].startswith("http://bitbucket-pipelines.internal/")


def test_times_have_nine_digits_and_uuids_braces(ask):
    made = started(ask)
    assert len(made["created_on"].partition(".")[2]) == 10
    assert ask("GET", f"{SHOP}/pipelines/{made['uuid']}").json()["build_number"] == 1
    assert ask("GET", f"{SHOP}/pipelines/99").json()["error"]["data"]["key"].endswith("not-found")


def test_a_run_may_be_halted_for_ever(ask, server):
    server.instance.options["halted"] = True
    started(ask)
    halted = until(lambda: ask("GET", f"{SHOP}/pipelines/1").json()["state"].get("stage"))
    until(lambda: ask("GET", f"{SHOP}/pipelines/1").json()["state"]["stage"]["name"] == "HALTED")
    assert halted["type"].startswith("pipeline_state_")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"target": {}},
        {"target": {"type": "pipeline_commit_target", "commit": {"hash": "a" * 40}}},
        target(ref_type="bookmark"),
        target(commit={"hash": "short"}),
    ],
)
def test_a_start_of_no_known_form_is_refused(ask, sandbox, body):
    answer = ask("POST", f"{SHOP}/pipelines", json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Bad request")
    assert sandbox.accepted("bitbucket") == []


def test_a_manual_step_is_started_on_its_page_only(ask, server, sandbox):
    server.pipeline("acme/gated", steps=[{"name": "Release <b>", "gate": True}])
    ask("POST", "repositories/acme/gated/pipelines", json=target())
    page = f"{sandbox.url}/bitbucket/acme/gated/pipelines/results/1"
    until(lambda: "<button>" in requests.get(page, timeout=10).text)
    assert "Release &lt;b&gt;" in requests.get(page, timeout=10).text
    assert requests.post(f"{page}/run", timeout=10).url == page
    until(lambda: server.state("acme/gated", 1) == "passed")


def test_pages_lead_from_workspaces_to_builds(ask, sandbox):
    started(ask)
    for path in ("", "acme", "acme/shop", "acme/shop/pipelines/results/1"):
        answer = requests.get(f"{sandbox.url}/bitbucket/{path}", timeout=10)
        assert answer.status_code == 200
    for path in ("none", "acme/none", "acme/shop/pipelines/results/9"):
        assert requests.get(f"{sandbox.url}/bitbucket/{path}", timeout=10).status_code == 404


# --- Logs ----------------------------------------------------------------------------------------
def log_of(ask, **options: Any) -> requests.Response:
    uuid = ask("GET", f"{SHOP}/pipelines/1/steps").json()["values"][0]["uuid"]
    return ask("GET", f"{SHOP}/pipelines/1/steps/{uuid}/log", **options)


def test_an_ended_log_is_elsewhere_and_takes_no_credential_there(ask):
    started(ask)
    ended(ask)
    answer = log_of(ask, headers={"Accept": "application/octet-stream"})
    where = answer.headers["Location"]
    assert (answer.status_code, answer.content) == (307, b"")
    whole = requests.get(where, timeout=10)
    assert whole.content.endswith(b"one\ntwo\n")
    length = len(whole.content)
    for first, status in ((0, 206), (length - 1, 206), (length, 416)):
        part = requests.get(where, headers={"Range": f"bytes={first}-"}, timeout=10)
        assert (part.status_code, part.content) == (status, whole.content[first:])
    assert requests.get(where, headers={"Authorization": "Bearer x"}, timeout=10).status_code == 400
    assert requests.get(where.partition("?")[0], timeout=10).status_code == 403


def test_a_log_is_not_json_and_not_there_before_its_step(ask, sandbox):
    sandbox.speed = 1
    started(ask)
    until(lambda: ask("GET", f"{SHOP}/pipelines/1/steps").json()["values"])
    assert log_of(ask, headers={"Accept": "application/json"}).status_code == 406
    early = log_of(ask, headers={"Accept": "*/*"})
    assert early.status_code in (404, 200)
    assert early.status_code == 200 or "does not exist" in early.json()["error"]["detail"]


# --- Webhooks and settings -----------------------------------------------------------------------
def test_webhooks_are_signed_and_told_of_every_status(ask, sandbox):
    with serve(reply(200)) as receiver:
        hook = {"url": receiver.url, "description": "", "secret": "s", "active": True}
        made = ask("POST", f"{SHOP}/hooks", json=hook | {"events": ["repo:commit_status_updated"]})
        assert (made.status_code, made.json()["secret_set"]) == (201, True)
        assert "secret" not in made.json()
        started(ask)
        ended(ask)
        until(lambda: receiver.asked)
    sent = receiver.asked[0]
    digest = hmac.new(b"s", sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["X-Hub-Signature"] == f"sha256={digest}"
    assert sent.headers["X-Event-Key"] == "repo:commit_status_updated"
    assert {"X-Request-UUID", "X-Hook-UUID", "X-Attempt-Number"} <= set(sent.headers)
    status = json.loads(sent.body)["commit_status"]
    assert (status["state"], status["type"]) == ("SUCCESSFUL", "build")
    assert status["url"].endswith("/acme/shop/addon/pipelines/home#!/results/1")


@pytest.mark.parametrize(("status", "attempts"), [(503, 3), (404, 1)])
def test_a_delivery_is_tried_three_times_at_most(ask, server, sandbox, status, attempts):
    server.instance.clock.speed = 1_000_000
    with serve(reply(status)) as receiver:
        hook = {"url": receiver.url, "events": ["repo:commit_status_created"]}
        ask("POST", f"{SHOP}/hooks", json=hook)
        started(ask)
        until(lambda: len(receiver.asked) >= attempts)
    assert len(receiver.asked) == attempts
    assert len({asked.headers["X-Request-UUID"] for asked in receiver.asked}) == 1
    assert "X-Hub-Signature" not in receiver.asked[0].headers


def test_webhooks_are_changed_and_removed(ask):
    made = ask("POST", f"{SHOP}/hooks", json={"url": "https://x.example/", "events": []}).json()
    path = f"{SHOP}/hooks/{made['uuid']}"
    changed = ask("PUT", path, json={"url": "https://x.example/", "events": ["repo:push"]})
    assert changed.json()["events"] == ["repo:push"]
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404
    assert ask("POST", f"{SHOP}/hooks", json={"url": "x"}).status_code == 400


def test_pipelines_is_switched_on_before_anything_runs(ask, server):
    server.pipeline("acme/new", active=False)
    path = "repositories/acme/new"
    assert ask("GET", f"{path}/pipelines_config").json()["enabled"] is False
    assert ask("POST", f"{path}/pipelines", json=target()).status_code == 400
    assert ask("PUT", f"{path}/pipelines_config", json={"enabled": True}).json()["enabled"] is True
    assert ask("POST", f"{path}/pipelines", json=target()).status_code == 201


def test_a_push_is_told_with_the_build_that_it_started(server, ask):
    with serve(reply(200)) as receiver:
        ask("POST", f"{SHOP}/hooks", json={"url": receiver.url, "events": ["repo:push"]})
        server.pipeline("acme/shop", every_seconds=0.01)
        until(lambda: receiver.asked)
    assert json.loads(receiver.asked[0].body)["push"]["changes"][0]["new"]["name"] == "main"
