"""Webhooks: signed over the raw body, replayed, renamed, and sent by other CI too."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from pipelines.providers.base import Hint, Hook, HookKeys, HookTarget
from pipelines.providers.bitbucket import Bitbucket
from pipelines.providers.errors import HookRefused
from portal.credentials import Secret
from tests.httpd import reply, serve
from tests.pipelines.providers.conftest import make_adapter, until
from tests.pipelines.providers.test_bitbucket import PIPELINE, ask

nasty = pytest.mark.nasty
NOW = datetime(2026, 11, 22, tzinfo=UTC)
STATUS = "repo:commit_status_updated"
REPOSITORY = {"full_name": "acme/shop", "uuid": "{1}"}
HOME = "https://bitbucket.org/acme/shop/addon/pipelines/home#!/results/4"


def keys(*secrets: str) -> HookKeys:
    return HookKeys(tuple(Secret(secret) for secret in secrets))


def hook(event: str, **body) -> Hook:
    return Hook({"x-event-key": event}, json.dumps(body).encode())


def hints(event: str, **body) -> list[Hint]:
    return list(Bitbucket.parse_webhook(hook(event, **body)))


def status(url: str = HOME, **fields) -> dict:
    return {"type": "build", "state": "SUCCESSFUL", "url": url, "key": "1234", **fields}


# --- Believing -----------------------------------------------------------------------------------
def signed(secret: str, body: bytes, **headers: str) -> Hook:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Hook({"x-hub-signature": f"sha256={digest}", **headers}, body)


def test_the_vendors_own_example_is_believed():
    """From "Manage webhooks" in Atlassian's documentation."""
    signature = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    example = Hook({"x-hub-signature": signature}, b"Hello World!")
    assert Bitbucket.verify_webhook(example, keys("It's a Secret to Everybody"), NOW)
    for changed in (Hook(example.headers, b"Hello World"), Hook({}, b"Hello World!")):
        with pytest.raises(HookRefused):
            Bitbucket.verify_webhook(changed, keys("It's a Secret to Everybody"), NOW)


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256", "sha1=ab", "é", "sha256=" + "0" * 64]
)
def test_a_signature_of_another_kind_is_refused(signature):
    with pytest.raises(HookRefused):
        Bitbucket.verify_webhook(Hook({"x-hub-signature": signature}, b"{}"), keys("s"), NOW)


def test_an_old_delivery_under_a_new_id_is_the_same_delivery():
    """No signature covers X-Request-UUID, so whoever kept a delivery could renumber it."""
    first = signed("s", b'{"a": 1}', **{"x-request-uuid": "1", "x-attempt-number": "1"})
    again = signed("s", b'{"a": 1}', **{"x-request-uuid": "2", "x-attempt-number": "2"})
    other = signed("s", b'{"a": 2}', **{"x-request-uuid": "1"})
    ids = [Bitbucket.verify_webhook(one, keys("old", "s"), NOW) for one in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


# --- Reading -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        HOME,
        "https://bitbucket.org/acme/shop/pipelines/results/4",
        "https://bitbucket.org/acme/shop/pipelines/results/4/steps/%7B1%7D",
    ],
)
def test_a_status_that_links_to_a_build_names_it(url):
    found = hints(STATUS, repository=REPOSITORY, commit_status=status(url))
    assert found == [Hint(STATUS, ("acme/shop",), "4")]


@nasty("bitbucket-27")
@pytest.mark.parametrize(
    "url",
    [
        "https://ci.acme.example/job/shop/results/4",
        "https://bitbucket.org/other/repo/addon/pipelines/home#!/results/4",
        "https://bitbucket.org/acme/shop/src/main",
        "https://bitbucket.org/acme/shop/pipelines/results/x",
        "https://[::1/acme/shop/pipelines/results/4",
        "",
        7,
        None,
    ],
)
def test_a_status_of_another_ci_is_of_no_interest(url):
    """Whoever may post a status may take the key of Pipelines' own; only the link is looked at."""
    assert hints(STATUS, repository=REPOSITORY, commit_status=status(url)) == []


@nasty("bitbucket-22")
@pytest.mark.parametrize(
    "push", [{"changes": []}, {"changes": [{"new": None, "truncated": True}]}, None, "x"]
)
def test_a_push_is_a_reason_to_look_whatever_it_holds(push):
    found = hints("repo:push", repository=REPOSITORY, push=push)
    assert found == [Hint("repo:push", ("acme/shop",))]


@nasty("bitbucket-18")
def test_a_renamed_repository_is_looked_for_under_both_names():
    changes = {"full_name": {"old": "acme/cart", "new": "acme/shop"}}
    found = hints("repo:updated", repository=REPOSITORY, changes=changes)
    assert found == [Hint("repo:updated", ("acme/shop", "acme/cart"))]


def test_a_trace_names_the_build_of_its_spans():
    attributes = [
        {"key": "pipeline.build_number", "value": {"intValue": "12"}},
        {"key": "pipeline.uuid", "value": {"stringValue": "{2}"}},
    ]
    spans = [{"name": "bbc.pipeline_run", "attributes": attributes}, {"attributes": attributes}]
    body = {"repository": REPOSITORY, "resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    event = "pipeline:span_created"
    assert hints(event, **body) == [Hint(event, ("acme/shop",), "12")]
    assert hints(event, resourceSpans=body["resourceSpans"]) == []


@pytest.mark.parametrize("event", ["", "issue:created", "diagnostics:ping", "repo:fork"])
def test_what_starts_no_build_is_of_no_interest(event):
    assert hints(event, repository=REPOSITORY) == []


@pytest.mark.parametrize("name", ["", "one", "a/b/c", "a b/c", 7, None, "x" * 500])
def test_a_delivery_without_a_repository_is_of_no_interest(name):
    assert hints("repo:push", repository={"full_name": name}) == []


def test_what_the_sandbox_sends_is_believed_and_leads_to_the_build(sandbox):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline(PIPELINE, steps=[{"name": "Build", "seconds": 1}])
    adapter = make_adapter("bitbucket", handle.base_url, handle.credential, workspaces=["acme"])
    with serve(reply(202)) as receiver:
        adapter.activate(PIPELINE, HookTarget(f"{receiver.url}/hooks/bb/", Secret("s3cr3t")))
        adapter.start(ask())
        until(lambda: len(receiver.asked) >= 2)
    events = []
    for asked in receiver.asked:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        sent = Hook(headers, asked.body)
        assert adapter.verify_webhook(sent, keys("s3cr3t"), NOW)
        events += [(hint.event, hint.pipelines, hint.build) for hint in adapter.parse_webhook(sent)]
    assert events == [
        ("repo:commit_status_created", (PIPELINE,), "1"),
        ("repo:commit_status_updated", (PIPELINE,), "1"),
    ]
