"""Buildkite's webhooks: who is believed, for how long, and what a delivery says."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.buildkite.hooks import pipeline_at
from pipelines.providers.errors import HookRefused
from pipelines.sandbox.objects import Ask
from portal.credentials import Secret
from tests.httpd import reply, serve
from tests.pipelines.providers.conftest import until

SECRET = "s3cret-of-the-hook"
KEYS = HookKeys((Secret(SECRET),))
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BUILD = {
    "event": "build.finished",
    "build": {
        "number": 7,
        "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/shop/builds/7",
    },
    "pipeline": {
        "slug": "shop",
        "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/shop",
    },
}
BODY = json.dumps(BUILD).encode()

# A ping as Buildkite's own Go client tests it: github.com/buildkite/go-buildkite, webhook_test.go.
VENDORS_KEY = "29b1ff5779c76bd48ba6705eb99ff970"
VENDORS_HEADER = (
    "timestamp=1642080837,"
    "signature=582d496ac2d869dd97a3101c4cda346288c49a742592daf582ec64c86449f79c"
)
VENDORS_PING = (
    b'{"event":"ping","service":{"id":"c9f8372d-c0cd-43dc-9274-768a875cf6ca","provider":"webhook",'
    b'"settings":{"url":"https://server.com/webhooks"}},"organization":{"id":"49801950-1df0-474f-'
    b'bb56-ad6a930c5cb9","graphql_id":"T3JnYW5pemF0aW9uLS0tZTBmMzk3MgsTksGkxOWYtZTZjNzczZTJiYjEy",'
    b'"url":"https://api.buildkite.com/v2/organizations/acme-inc","web_url":"https://buildkite.com/'
    b'acme-inc","name":"ACME Inc","slug":"acme-inc","agents_url":"https://api.buildkite.com/v2/'
    b'organizations/acme-inc/agents","emojis_url":"https://api.buildkite.com/v2/organizations/'
    b'acme-inc/emojis","created_at":"2021-02-03T20:34:10.486Z","pipelines_url":"https://'
    b'api.buildkite.com/v2/organizations/acme-inc/pipelines"},"sender":{"id":"c9f8372d-c0cd-43dc-'
    b'9269-bcbb7f308e3f","name":"ACME Man"}}'
)


def header(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> str:
    moment = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"timestamp={moment},signature={digest.hexdigest()}"


def signed(value: str = "", body: bytes = BODY) -> Hook:
    return Hook({"x-buildkite-signature": value or header(body)}, body)


def with_token(token: str, body: bytes = BODY) -> Hook:
    return Hook({"x-buildkite-token": token}, body)


# --- Signatures ----------------------------------------------------------------------------------
def test_a_delivery_signed_by_the_vendors_own_client_is_believed():
    at = datetime.fromtimestamp(1642080837, UTC)
    keys = HookKeys((Secret(VENDORS_KEY),))
    hook = Hook({"x-buildkite-signature": VENDORS_HEADER}, VENDORS_PING)
    assert Buildkite.verify_webhook(hook, keys, at) == (
        "signature-582d496ac2d869dd97a3101c4cda346288c49a742592daf582ec64c86449f79c"
    )
    assert Buildkite.parse_webhook(hook) == []


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace(",", " , ").replace("=", " = "),
        lambda text: ",".join(reversed(text.split(","))),
        lambda text: text.replace("signature", "Signature") + ",v=2",
        lambda text: text.rpartition("=")[0] + "=" + text.rpartition("=")[2].upper(),
    ],
)
def test_spaces_order_and_case_of_a_signature_do_not_matter(form):
    usual = Buildkite.verify_webhook(signed(), KEYS, NOW)
    assert Buildkite.verify_webhook(signed(form(header())), KEYS, NOW) == usual


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "timestamp=,signature=",
        "timestamp=1",
        header().replace("timestamp=", "timestamp=-"),
        header().replace("timestamp=1", "timestamp=\uff11"),
        header(secret="another"),
        header(body=b"{}"),
        header().replace("timestamp=1", "timestamp=2"),
        header()[:-1],
        header() + "0",
        "timestamp=1777896000,signature=\xe9",
        "timestamp=" + "9" * 5000 + ",signature=00",
    ],
)
def test_any_other_signature_is_refused(value):
    with pytest.raises(HookRefused):
        Buildkite.verify_webhook(signed(value), KEYS, NOW)


@pytest.mark.parametrize("apart", [-300, 0, 300])
def test_within_the_window_clocks_may_differ(apart):
    assert Buildkite.verify_webhook(signed(), KEYS, NOW + timedelta(seconds=apart))


@pytest.mark.parametrize("apart", [-301, 301, 86_400])
def test_outside_of_the_window_it_is_refused_with_the_reason(apart):
    with pytest.raises(HookRefused, match=f"{abs(apart)} s away from this host's clock"):
        Buildkite.verify_webhook(signed(), KEYS, NOW + timedelta(seconds=apart))


def test_a_repeated_delivery_has_one_id_and_others_have_others():
    once = Buildkite.verify_webhook(signed(), KEYS, NOW)
    assert Buildkite.verify_webhook(signed(), KEYS, NOW + timedelta(seconds=9)) == once
    later = signed(header(at=NOW + timedelta(seconds=1)))
    assert Buildkite.verify_webhook(later, KEYS, NOW) != once


# --- Tokens ------------------------------------------------------------------------------------
def test_the_plain_token_is_believed_and_the_body_is_the_id():
    once = Buildkite.verify_webhook(with_token(SECRET), KEYS, NOW)
    assert Buildkite.verify_webhook(with_token(SECRET), KEYS, NOW + timedelta(days=9)) == once
    assert Buildkite.verify_webhook(with_token(SECRET, b"{}"), KEYS, NOW) != once


@pytest.mark.parametrize("token", ["", "wrong", SECRET + "x", SECRET[:-1], "\xe9", "\udce9"])
def test_any_other_token_is_refused(token):
    with pytest.raises(HookRefused) as caught:
        Buildkite.verify_webhook(with_token(token), KEYS, NOW)
    assert SECRET not in str(caught.value)


def test_a_wrong_signature_is_not_saved_by_a_right_token():
    hook = Hook({"x-buildkite-signature": header(secret="x"), "x-buildkite-token": SECRET}, BODY)
    with pytest.raises(HookRefused, match="signature"):
        Buildkite.verify_webhook(hook, KEYS, NOW)


@pytest.mark.parametrize("keys", [HookKeys(), HookKeys((Secret(""),))])
@pytest.mark.parametrize("hook", [signed(header(secret="")), with_token(""), Hook({}, BODY)])
def test_without_a_secret_nobody_is_believed(keys, hook):
    with pytest.raises(HookRefused, match="No webhook secret"):
        Buildkite.verify_webhook(hook, keys, NOW)


# --- What it says --------------------------------------------------------------------------------
def parse(payload: object) -> list[Hint]:
    return Buildkite.parse_webhook(Hook({}, json.dumps(payload).encode()))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.buildkite.com/v2/organizations/acme/pipelines/shop", "acme/shop"),
        (
            "https://api.buildkite.com/v2/organizations/acme/pipelines/a.b%20c/builds/7",
            "acme/a.b c",
        ),
        ("https://api.buildkite.com/v2/organizations/acme/pipelines/..", ""),
        ("https://api.buildkite.com/v2/organizations/%2e%2e/pipelines/shop", ""),
        ("https://api.buildkite.com/v2/organizations/acme/pipelines/", ""),
        ("https://buildkite.com/acme/shop", ""),
        (None, ""),
        (["x"], ""),
    ],
)
def test_an_address_tells_organization_and_pipeline(address, name):
    assert pipeline_at(address) == name


def test_a_build_is_named_by_the_addresses_in_the_body():
    hint = Hint("build.finished", ("acme/shop",), "7")
    assert parse(BUILD) == [hint]
    assert parse({**BUILD, "pipeline": {"slug": "other"}}) == [hint]
    assert parse({**BUILD, "event": "job.activated", "job": {"id": "j"}})[0].build == "7"


@pytest.mark.parametrize(
    "changed",
    [
        {"build": None, "event": "agent.lost"},
        {"build": {"number": "7"}},
        {"build": {"number": True}},
        {"build": {"number": -7}},
        {"build": {"number": 7}, "pipeline": {"slug": "shop"}},
        {"build": {"number": 7}, "pipeline": {"url": "https://x/organizations/a/pipelines/../x"}},
        {"build": {"number": 7}, "pipeline": {"url": 7}},
    ],
)
def test_what_names_no_build_is_of_no_interest(changed):
    assert parse({**BUILD, **changed}) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_can_not_be_read_is_refused(body):
    with pytest.raises(HookRefused):
        Buildkite.parse_webhook(Hook({}, body))


# --- The sandbox's, over real HTTP -----------------------------------------------------------
@pytest.mark.parametrize("mode", ["signature", "token"])
def test_what_the_sandbox_sends_is_believed_and_names_its_builds(sandbox, mode):
    sandbox.buildkite.pipeline("acme/shop")
    instance = sandbox.buildkite.instance
    with serve(reply(200)) as receiver:
        sandbox.buildkite.hook(receiver.url, SECRET, mode=mode)
        with sandbox.world.lock:
            instance.start(instance.pipelines["acme/shop"], Ask())
        until(lambda: any(b"build.finished" in asked.body for asked in receiver.asked))
    for asked in receiver.asked:
        hook = Hook({name.lower(): value for name, value in asked.headers.items()}, asked.body)
        assert Buildkite.verify_webhook(hook, KEYS, datetime.now(UTC))
        assert [hint.pipelines for hint in Buildkite.parse_webhook(hook)] == [("acme/shop",)]
