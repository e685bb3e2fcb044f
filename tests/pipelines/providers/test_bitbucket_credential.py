"""Three kinds of credentials: told apart, refreshed once for all, and shown to nobody."""

import base64
import json
import logging
import threading

import pytest

from pipelines.providers.bitbucket.credential import MARGIN
from pipelines.providers.errors import (
    Forbidden,
    Misconfigured,
    NotAuthorized,
    RateLimited,
    Unavailable,
)
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import make_adapter
from tests.pipelines.providers.test_bitbucket import ask, build

nasty = pytest.mark.nasty
EMPTY = json.dumps({"values": []})
TOKEN = "/site/oauth2/access_token"


def adapter_at(httpd, credential: str, **options):
    return make_adapter("bitbucket", f"{httpd.url}/2.0", credential, workspaces=["acme"], **options)


def sent(httpd) -> str:
    return httpd.asked[-1].headers["Authorization"]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


class Tokens:
    """A token address and an API that takes the newest token only."""

    def __init__(self, life: object = 7200) -> None:
        self.life = life
        self.given = 0
        self.lock = threading.Lock()

    def __call__(self, handler) -> None:
        if handler.path == TOKEN:
            with self.lock:
                self.given += 1
                answer = {"access_token": f"t-{self.given}", "expires_in": self.life}
            json_reply(json.dumps(answer))(handler)
        elif handler.headers["Authorization"] != f"Bearer t-{self.given}":
            json_reply("{}", 401)(handler)
        elif handler.command == "POST":
            json_reply(json.dumps(build()), 201)(handler)
        else:
            json_reply(EMPTY)(handler)


# --- Forms ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("credential", "options", "header"),
    [
        ("ana@acme.example:t", {}, basic("ana@acme.example:t")),
        ("ana:t:u", {"auth": "api_token"}, basic("ana:t:u")),
        ("one-word", {}, "Bearer one-word"),
        ("with:colon", {"auth": "access_token"}, "Bearer with:colon"),
    ],
)
def test_a_token_is_sent_as_its_form_or_the_option_says(credential, options, header):
    with serve(json_reply(EMPTY)) as httpd:
        adapter_at(httpd, credential, **options).list_pipelines()
    assert sent(httpd) == header


@pytest.mark.parametrize(
    ("credential", "options", "words"),
    [
        ("two words", {}, "one word"),
        ("naïve", {}, "one word"),
        (":x", {}, "key:secret"),
        ("ana@acme.example:", {}, "email:token"),
        ("word", {"auth": "oauth"}, "key:secret"),
        ("word", {"auth": "magic"}, "auth"),
        ("ana:ATBBs3cr3t", {}, "app password"),
        ("ana:ATATTs3cr3t", {}, "e-mail address"),
    ],
)
def test_what_can_be_no_credential_is_said_unseen(credential, options, words):
    with pytest.raises(Misconfigured, match=words) as caught:
        make_adapter("bitbucket", "http://127.0.0.1:9", credential, workspaces=["a"], **options)
    assert "s3cr3t" not in str(caught.value)


@nasty("bitbucket-11")
def test_an_api_token_with_a_user_name_is_refused_with_a_hint(sandbox):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline("acme/shop")
    wrong = make_adapter(
        "bitbucket",
        handle.base_url,
        f"stagedoor:{handle.token}",
        workspaces=["acme"],
        auth="api_token",
    )
    with pytest.raises(NotAuthorized, match="e-mail address"):
        wrong.list_pipelines()


# --- OAuth ---------------------------------------------------------------------------------------
def test_a_consumer_reads_and_starts_in_the_sandbox(sandbox):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline("acme/checkout")
    adapter = make_adapter(
        "bitbucket", handle.base_url, f"stagedoor:{handle.token}", workspaces=["acme"]
    )
    result = adapter.check()
    assert (result.who, result.lacks, result.unused) == ("Stagedoor", (), ())
    assert adapter.start(ask()).build.number == 1
    assert len(sandbox.requests("bitbucket", "other")) == 1


def test_one_token_serves_all_adapters_and_threads():
    with serve(Tokens()) as httpd:
        ready = threading.Barrier(8)
        failed = []

        def work() -> None:
            ready.wait()
            try:
                adapter_at(httpd, "key:many").list_pipelines()
            except Exception as error:  # shown below
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        adapter_at(httpd, "key:many").list_pipelines()
    assert failed == []
    asked = [one for one in httpd.asked if one.path == TOKEN]
    assert len(asked) == 1
    assert asked[0].headers["Authorization"] == basic("key:many")
    assert asked[0].body == b"grant_type=client_credentials"


def test_a_new_secret_takes_a_new_token():
    with serve(Tokens()) as httpd:
        adapter_at(httpd, "key:old").list_pipelines()
        adapter_at(httpd, "key:new").list_pipelines()
    assert sum(one.path == TOKEN for one in httpd.asked) == 2


@pytest.mark.parametrize(("life", "asked"), [(7200, 1), (MARGIN / 100, 1), (None, 1), (10**400, 1)])
def test_a_token_is_kept_a_while_whatever_is_said_of_its_life(life, asked):
    tokens = Tokens(int(life) if life else life)
    with serve(tokens) as httpd:
        adapter = adapter_at(httpd, f"key:life-{life}")
        adapter.list_pipelines()
        adapter.list_pipelines()
    assert tokens.given == asked


def test_a_token_that_ends_soon_is_renewed_before_it_does(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("pipelines.providers.bitbucket.credential.time.monotonic", lambda: now[0])
    tokens = Tokens(3600)
    with serve(tokens) as httpd:
        adapter = adapter_at(httpd, "key:soon")
        for at, given in ((1000, 1), (1000 + 3600 - MARGIN - 1, 1), (1000 + 3600 - MARGIN, 2)):
            now[0] = float(at)
            adapter._wire.authority.authorization()
            assert tokens.given == given


def test_a_withdrawn_token_is_replaced_once_for_a_read():
    tokens = Tokens()
    with serve(tokens) as httpd:
        adapter = adapter_at(httpd, "key:withdrawn")
        adapter.list_pipelines()
        tokens.given += 1
        adapter.list_pipelines()
        assert tokens.given == 3


def test_a_new_token_that_is_refused_is_not_asked_for_again():
    def behave(handler):
        token = json_reply('{"access_token": "t", "expires_in": 60}')
        (token if handler.path == TOKEN else json_reply("{}", 401))(handler)

    with serve(behave) as httpd, pytest.raises(NotAuthorized, match="consumer"):
        adapter_at(httpd, "key:refused").list_pipelines()
    assert [one.path.partition("?")[0] for one in httpd.asked] == [TOKEN, "/2.0/repositories/acme"]


def test_a_write_with_a_withdrawn_token_was_not_carried_out_and_the_next_one_is():
    tokens = Tokens()
    with serve(tokens) as httpd:
        adapter = adapter_at(httpd, "key:write")
        adapter.list_pipelines()
        tokens.given += 1
        with pytest.raises(Unavailable, match="the next try takes a new one"):
            adapter.start(ask())
        assert adapter.start(ask()).build.number == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_reply('{"error": "invalid_client"}', 401), NotAuthorized),
        (json_reply('{"error": "invalid_grant"}', 400), NotAuthorized),
        (reply(429, "wait"), RateLimited),
        (reply(302, Location="https://sso.example/"), Misconfigured),
        (reply(200, "<html>", Content_Type="text/html"), Misconfigured),
        (json_reply("{}"), Misconfigured),
        (json_reply('{"access_token": "two words"}'), Misconfigured),
        (json_reply('{"access_token": 7}'), Misconfigured),
        (reply(503, "down"), Unavailable),
        (lambda handler: handler.connection.close(), Unavailable),
    ],
)
def test_a_start_without_a_token_was_certainly_not_sent(answer, error):
    with serve(answer) as httpd, pytest.raises(error) as caught:
        adapter_at(httpd, "key:s3cr3t").start(ask())
    assert {one.path for one in httpd.asked} == {TOKEN}
    assert "s3cr3t" not in f"{caught.value!s} {caught.value!r}"


def test_no_token_shows_anywhere(caplog):
    caplog.set_level(logging.DEBUG)
    with serve(Tokens()) as httpd:
        adapter = adapter_at(httpd, "key:s3cr3t")
        adapter.list_pipelines()
    authority = adapter._wire.authority
    seen = f"{vars(adapter)} {vars(authority)} {vars(authority._slot)} {caplog.text}"
    assert "t-1" not in seen
    assert "s3cr3t" not in seen
    assert basic("key:s3cr3t") not in seen


def test_the_secret_of_a_consumer_is_not_sent_without_tls():
    with pytest.raises(Misconfigured, match="token_url"):
        make_adapter(
            "bitbucket",
            "https://api.bitbucket.org/2.0",
            "key:secret",
            workspaces=["acme"],
            token_url="http://bitbucket.org/site/oauth2/access_token",
        )


def test_the_token_address_can_be_named():
    with serve(Tokens()) as api, serve(Tokens()) as other:
        api.behaviour = json_reply(EMPTY)
        adapter_at(api, "key:named", token_url=f"{other.url}{TOKEN}").list_pipelines()
    assert [one.path for one in other.asked] == [TOKEN]


# --- Connection test -----------------------------------------------------------------------------
READ = ("read:repository:bitbucket", "read:pipeline:bitbucket")


def checked(sandbox, credential: str, rights, **options):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline("acme/shop")
    handle.add_token("narrow", login="ana", name="Ana", rights=rights)
    return make_adapter(
        "bitbucket", handle.base_url, credential, workspaces=["acme"], **options
    ).check()


@pytest.mark.parametrize(
    ("credential", "lacks"),
    [
        ("ana@ci.example:narrow", ["write:pipeline:bitbucket"]),
        ("narrow", ["pipeline:write"]),
        ("ana:narrow", ["pipeline:write"]),
    ],
)
def test_each_kind_is_told_what_it_lacks_under_its_own_names(sandbox, credential, lacks):
    result = checked(sandbox, credential, READ)
    assert [right for right, _ in result.lacks] == lacks
    assert (result.unused, result.expires_at, result.who_id) == ((), None, "")
    assert result.who in ("an API token", "an access token", "an OAuth consumer")
    assert any("webhooks" in note for note in result.notes)
    assert any("expires" in note for note in result.notes) == (credential != "ana:narrow")


def test_rights_that_are_never_used_are_named(sandbox):
    result = checked(sandbox, "ana@ci.example:narrow", (*READ, "delete:issue:bitbucket"))
    assert [right for right, _ in result.unused] == ["delete:issue:bitbucket"]


def test_a_workspace_that_is_not_seen_is_named(sandbox):
    handle = sandbox.instances["bitbucket"]
    adapter = make_adapter("bitbucket", handle.base_url, handle.credential, workspaces=["nowhere"])
    with pytest.raises(Misconfigured, match="“nowhere”"):
        adapter.check()


def test_without_the_right_to_list_the_scope_is_named(sandbox):
    with pytest.raises(Forbidden, match="read:repository:bitbucket"):
        checked(sandbox, "ana@ci.example:narrow", ["read:pipeline:bitbucket"])
