"""What is Travis CI's own: its check, its lists, its starts, its refusals."""

import json
import shlex

import pytest

from pipelines.budget import Meter, Purpose
from pipelines.models import Server
from pipelines.providers.base import (
    Capability,
    Cause,
    HookTarget,
    ServerConfig,
    StartRequest,
)
from pipelines.providers.errors import (
    BudgetSpent,
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from pipelines.providers.travis import Travis
from portal.credentials import Secret
from tests.httpd import json_reply, serve
from tests.pipelines.providers.conftest import build_of, http_client, make_adapter

PIPELINE = "acme/checkout"
REPO = {"@type": "repository", "id": 7, "slug": PIPELINE, "active": True}


@pytest.fixture
def travis(sandbox):
    sandbox.instances["travis"].pipeline(PIPELINE, branches=("main", "dev"))
    return sandbox.instances["travis"]


@pytest.fixture
def adapter(travis) -> Travis:
    return make_adapter("travis", travis.base_url, travis.credential)


def ask(request_id: str = "r-1", **fields) -> StartRequest:
    return StartRequest(
        **{"pipeline": PIPELINE, "request_id": request_id, "branch": "main", **fields}
    )


def at(url: str, **options) -> Travis:
    return make_adapter("travis", url, "token", **options)


# --- Token and options ---------------------------------------------------------------------------
def test_the_check_says_who_and_keeps_the_key_of_webhooks(travis, adapter):
    result = adapter.check()
    assert result.who == "stagedoor"
    assert result.who_id.isdigit()
    assert result.public_keys[0].startswith("-----BEGIN PUBLIC KEY-----")
    assert any("90 days" in note for note in result.notes)
    assert any("no scopes" in note for note in result.notes)


def test_a_server_without_a_key_is_said():
    def behave(handler):
        known = handler.path.startswith("/user")
        json_reply('{"@type": "user", "login": "bot", "id": 3}' if known else "{}")(handler)

    with serve(behave) as httpd:
        result = at(httpd.url).check()
    assert (result.who_id, result.public_keys) == ("3", ())
    assert any("no public key" in note for note in result.notes)


def test_a_user_of_another_host_is_said(sandbox):
    bitbucket = sandbox.add("travis", "travis-bb", vcs="bitbucket")
    adapter = make_adapter("travis", bitbucket.base_url, bitbucket.credential)
    assert any('option "vcs"' in note for note in adapter.check().notes)


@pytest.mark.parametrize(
    "options", [{"owners": "acme"}, {"owners": [1]}, {"vcs": "cvs"}, {"web_url": "javascript:x"}]
)
def test_wrong_options_are_said(options):
    with pytest.raises(Misconfigured):
        at("http://127.0.0.1:9", **options)


def test_a_token_of_several_words_is_refused_unseen():
    with pytest.raises(Misconfigured) as caught:
        make_adapter("travis", "http://127.0.0.1:9", "two words")
    assert "two" not in str(caught.value)


def test_every_request_names_the_version_and_the_scheme_of_the_token():
    with serve(json_reply(json.dumps(REPO))) as httpd:
        at(httpd.url).get_pipeline(PIPELINE)
    headers = httpd.asked[0].headers
    assert headers["Travis-API-Version"] == "3"
    assert headers["Authorization"] == "token token"
    assert headers["User-Agent"]


def test_the_limits_are_those_of_reading_and_of_writing():
    assert [(limit.seconds, limit.writes) for limit in Travis.limits] == [(60, False), (30, True)]
    assert Travis.read_limits({"X-RateLimit-Remaining": "1"}) == ()


@pytest.mark.nasty("travis-20")
@pytest.mark.django_db
def test_so_many_writes_that_the_bot_would_be_shut_out_do_not_go_out(sandbox):
    handle = sandbox.add("travis", "travis-ban", post_limit=49)
    handle.pipeline(PIPELINE)
    server = Server.objects.create(
        slug="t", name="Travis", provider="travis", base_url=handle.base_url
    )
    config = ServerConfig("t", handle.base_url)
    meter = Meter(http_client(), server, Travis, Purpose.ACT, [])
    adapter = Travis(config, meter, Secret(handle.credential))
    for number in range(24):
        adapter.start(ask(f"r-{number}"))
    with pytest.raises(BudgetSpent):
        adapter.start(ask("r-24"))
    assert len(sandbox.accepted("travis-ban")) == 24
    assert adapter.list_builds(PIPELINE)  # reading goes on, more often than that
    assert [adapter.get_pipeline(PIPELINE).active for _ in range(30)] == [True] * 30


# --- Repositories --------------------------------------------------------------------------------
def test_a_thousand_repositories_are_listed_in_pages(sandbox):
    travis = sandbox.instances["travis"]
    for number in range(1_050):
        travis.pipeline(f"acme/p{number:04}", active=number != 7)
    listed = make_adapter("travis", travis.base_url, travis.credential).list_pipelines()
    assert len({pipeline.stable_id for pipeline in listed}) == 1_050
    inactive = [p for p in listed if not p.active]
    assert [(p.external_id, p.runnable) for p in inactive] == [("acme/p0007", False)]
    assert len(sandbox.requests("travis", "pipelines")) == 11


def test_owners_that_the_options_name_are_listed_alone(travis):
    travis.pipeline("other/site")
    assert len(make_adapter("travis", travis.base_url, travis.credential).list_pipelines()) == 2
    named = make_adapter("travis", travis.base_url, travis.credential, owners=["acme"])
    assert [p.external_id for p in named.list_pipelines()] == [PIPELINE]
    unknown = make_adapter("travis", travis.base_url, travis.credential, owners=["nobody"])
    with pytest.raises(NotFound):
        unknown.list_pipelines()


def test_another_host_of_repositories_has_addresses_of_its_own(sandbox):
    handle = sandbox.add("travis", "travis-bb", vcs="bitbucket")
    handle.pipeline(PIPELINE)
    credential = handle.credential
    other = make_adapter("travis", handle.base_url, credential, vcs="bitbucket", owners=["acme"])
    assert [p.external_id for p in other.list_pipelines()] == [PIPELINE]
    build = build_of(other, PIPELINE, other.start(ask()))
    assert f"/bitbucket/{PIPELINE}/builds/{build.external_id}" in build.web_url


@pytest.mark.parametrize(
    ("base_url", "options", "web", "source"),
    [
        (
            "https://api.travis-ci.com",
            {},
            "https://app.travis-ci.com/github/",
            "https://github.com/",
        ),
        (
            "https://api.travis-ci.com",
            {"vcs": "bitbucket"},
            "https://app.travis-ci.com/bitbucket/",
            "https://bitbucket.org/",
        ),
        ("https://ci.example/api", {}, "https://ci.example/github/", ""),
        (
            "https://ci.example/api",
            {"source_url": "https://git.example/", "web_url": "https://travis.example"},
            "https://travis.example/github/",
            "https://git.example/",
        ),
    ],
)
def test_links_lead_to_the_pages_of_people(base_url, options, web, source):
    places = make_adapter("travis", base_url, "token", **options)._places
    assert places.page(PIPELINE) == f"{web}{PIPELINE}"
    assert places.source == source.rstrip("/")


def test_a_list_that_repeats_itself_is_an_error_and_not_a_part():
    page = {"@pagination": {"next": {"@href": "/x"}, "limit": 100}, "repositories": [REPO]}
    with serve(json_reply(json.dumps(page))) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url).list_pipelines()
    assert len(httpd.asked) == 2


# --- Starting ------------------------------------------------------------------------------------
def test_a_start_says_who_asked_in_the_vendors_places(travis, adapter):
    labels = {"person": "Ana Lima", "team": "payments", "environment": "staging", "service": ""}
    spoof = "Deploy [skip ci] it [stagedoor r-0]"
    asked = ask(labels=labels, parameters={"TARGET": "it's $HOME; b"}, message=spoof)
    build = build_of(adapter, PIPELINE, adapter.start(asked))
    seen = travis.build(PIPELINE, 1)
    assert seen.message == "Deploy it by Ana Lima (payments, staging) [stagedoor r-1]"
    assert build.message == "Deploy it by Ana Lima (payments, staging)"
    assert (build.request_id, build.cause) == ("r-1", Cause.API)
    assert seen.env == {
        "TARGET": "it's $HOME; b",
        "STAGEDOOR_REQUEST_ID": "r-1",
        "STAGEDOOR_PERSON": "Ana Lima",
        "STAGEDOOR_TEAM": "payments",
        "STAGEDOOR_ENVIRONMENT": "staging",
        "STAGEDOOR_VARIABLES": "TARGET",
    }


def test_a_request_always_says_how_to_merge_and_names_branch_and_commit():
    answer = json_reply('{"@type": "pending", "request": {"id": 5}}', 202)
    with serve(answer) as httpd:
        receipt = at(httpd.url).start(ask(commit="c" * 40, parameters={"A": "x y"}))
    sent = json.loads(httpd.asked[0].body)["request"]
    assert receipt.queue_ref == "request:5"
    assert httpd.asked[0].path == "/repo/acme%2Fcheckout/requests"
    assert (sent["branch"], sent["sha"]) == ("main", "c" * 40)
    assert sent["merge_mode"] == "deep_merge_append"
    assert shlex.split(sent["config"]["env"]["global"][0]) == ["A=x y"]


@pytest.mark.parametrize("name", ["a-b", "1A", "", "A=B", "TRAVIS_BRANCH", "stagedoor_x", "PATH"])
def test_what_is_no_free_variable_is_refused(travis, adapter, name):
    with pytest.raises(Rejected):
        adapter.start(ask(parameters={name: "x"}))
    assert travis.builds(PIPELINE) == []


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (403, '{"@type":"error","error_type":"insufficient_access"}', Forbidden, "lacks the right"),
        (403, '{"@type":"error","error_type":"login_required"}', NotAuthorized, "notice"),
        (403, '{"@type":"error","error_type":"wrong_credentials"}', NotAuthorized, "accept"),
        (400, '{"@type":"error","error_type":"wrong_params"}', Rejected, "refused"),
        (404, '{"@type":"error","error_type":"not_found"}', NotFound, "no such thing"),
        (429, '{"error_type":"request_limit_reached","max_requests":10}', RateLimited, "10 times"),
        (500, "Sorry, s3cr3t", OutcomeUnknown, "500"),
        (202, "s3cr3t", OutcomeUnknown, "something else"),
        (202, '{"@type":"error","error_message":"s3cr3t"}', OutcomeUnknown, "something else"),
        (302, "", Misconfigured, "redirect"),
    ],
)
def test_answers_to_a_start_are_told_in_our_words(status, body, error, words):
    with serve(json_reply(body, status)) as httpd, pytest.raises(error, match=words) as caught:
        at(httpd.url).start(ask())
    assert len(httpd.asked) == 1
    assert "s3cr3t" not in str(caught.value)


def test_more_starts_than_a_repository_may_have_in_an_hour_are_said(sandbox):
    handle = sandbox.add("travis", "travis-ten", api_builds_rate_limit=2)
    handle.pipeline(PIPELINE)
    adapter = make_adapter("travis", handle.base_url, handle.credential)
    adapter.start(ask("r-1"))
    adapter.start(ask("r-2"))
    with pytest.raises(RateLimited, match="2 times an hour"):
        adapter.start(ask("r-3"))
    assert len(sandbox.accepted("travis-ten")) == 2


# --- Switching on --------------------------------------------------------------------------------
def test_a_repository_is_switched_on_and_the_lines_for_webhooks_are_told(travis, adapter):
    travis.pipeline(PIPELINE, active=False)
    hook = HookTarget("https://portal.example/hooks/travis", Secret("s3cr3t"))
    first, lines = adapter.activate(PIPELINE, hook)
    assert "is switched on" in first
    assert "https://portal.example/hooks/travis" in lines
    assert "on_start: always" in lines
    assert "s3cr3t" not in lines
    assert adapter.get_pipeline(PIPELINE).active
    assert adapter.activate(PIPELINE, None) == [f"{PIPELINE} was switched on already."]
    assert Capability.ACTIVATE in Travis.capabilities


def test_only_an_admin_switches_a_repository_on(travis):
    travis.pipeline(PIPELINE, active=False)
    token = travis.add_token("pusher", rights=["pull", "push"])
    with pytest.raises(Forbidden):
        make_adapter("travis", travis.base_url, token).activate(PIPELINE, None)


def test_an_answer_that_is_an_error_despite_its_status_is_one():
    with serve(json_reply('{"@type": "error"}')) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url).get_pipeline(PIPELINE)
