"""Webhooks as a real Drone server sent them, and what is refused."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.drone import Drone
from pipelines.providers.errors import HookRefused
from portal.credentials import Secret
from tests.pipelines.providers.drone_recordings import DELIVERIES, SECRET, delivery

KEYS = HookKeys(secrets=(Secret(SECRET),))


def moment(hook: Hook) -> datetime:
    return parsedate_to_datetime(hook.headers["date"])


def changed(hook: Hook, body: bytes | None = None, **headers: str | None) -> Hook:
    new = {**hook.headers, **headers}
    kept = {name: value for name, value in new.items() if value is not None}
    return replace(hook, headers=kept, body=hook.body if body is None else body)


def signed(
    body: bytes, *, names: str = "date digest", secret: str = SECRET, **headers: str
) -> Hook:
    """A delivery as somebody who knows the secret would make it."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    known = {"date": format_datetime(datetime.now(UTC), usegmt=True), "digest": f"SHA-256={digest}"}
    known |= headers
    text = "\n".join(f"{name}: {known[name]}" for name in names.split())
    code = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(code).decode()
    known["signature"] = (
        f'keyId="hmac-key",algorithm="hmac-sha256",signature="{signature}",headers="{names}"'
    )
    return Hook(headers=known, body=body)


def test_all_deliveries_were_kept():
    assert len(DELIVERIES) == 28


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_recorded_delivery_verifies_and_gives_hints(name):
    hook = delivery(name)
    assert Drone.verify_webhook(hook, KEYS, moment(hook))
    body = json.loads(hook.body)
    hints = Drone.parse_webhook(hook)
    if body["event"] == "user":
        assert hints == []
        return
    slug = body["repo"]["slug"]
    number = str(body["build"]["number"]) if body["event"] == "build" else ""
    assert hints == [Hint(body["event"], (slug,), number)]


def test_the_same_delivery_has_the_same_id_and_another_has_another():
    ids = {Drone.verify_webhook(delivery(n), KEYS, moment(delivery(n))) for n in DELIVERIES}
    again = {Drone.verify_webhook(delivery(n), KEYS, moment(delivery(n))) for n in DELIVERIES}
    assert ids == again
    # Of two deliveries with the same date and body the second says nothing new.
    assert len(ids) == len({(delivery(n).headers["date"], delivery(n).body) for n in DELIVERIES})


def test_either_of_two_secrets_verifies():
    hook = delivery(DELIVERIES[0])
    keys = HookKeys(secrets=(Secret("newer"), Secret(SECRET)))
    assert Drone.verify_webhook(hook, keys, moment(hook))


HOOK = delivery(DELIVERIES[2])
SIGNATURE = HOOK.headers["signature"]
REFUSED = {
    "a changed byte": changed(HOOK, body=HOOK.body[:-1] + b" "),
    "a body that is not the digest's": changed(HOOK, body=b"{}"),
    "a digest to match, unsigned": changed(
        HOOK,
        body=b"{}",
        digest="SHA-256=" + base64.b64encode(hashlib.sha256(b"{}").digest()).decode(),
    ),
    "no digest": changed(HOOK, digest=None),
    "another kind of digest": changed(HOOK, digest="MD5=AAAA"),
    "no signature": changed(HOOK, signature=None),
    "an empty signature": changed(HOOK, signature=""),
    "no date": changed(HOOK, date=None),
    "a date of its own": changed(HOOK, date="Sun, 22 Nov 2026 01:09:00 GMT"),
    "another algorithm": changed(HOOK, signature=SIGNATURE.replace("hmac-sha256", "none")),
    "no list of headers": changed(HOOK, signature=SIGNATURE.partition(",headers")[0]),
    "no base64": changed(HOOK, signature=SIGNATURE.replace('signature="', 'signature="!')),
    "date alone": signed(HOOK.body, names="date"),
    "digest alone": signed(HOOK.body, names="digest"),
    "another secret": signed(HOOK.body, secret="other"),
    "a date that is none": signed(HOOK.body, date="yesterday"),
    "characters that no header has": changed(HOOK, digest="SHA-256=\udcff"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_a_delivery_is_refused(what):
    hook = REFUSED[what]
    now = datetime.now(UTC) if "date" not in HOOK.headers else moment(HOOK)
    if hook.headers.get("date") != HOOK.headers["date"]:
        now = datetime.now(UTC)
    with pytest.raises(HookRefused) as caught:
        Drone.verify_webhook(hook, KEYS, now)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 365])
def test_an_old_delivery_and_one_of_the_future_are_refused(minutes):
    with pytest.raises(HookRefused, match="5 minutes"):
        Drone.verify_webhook(HOOK, KEYS, moment(HOOK) + timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_by_a_few_minutes(minutes):
    assert Drone.verify_webhook(HOOK, KEYS, moment(HOOK) + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[1]", b"null", b'{"event":"build","repo":{"slug":"a/b"}}']
)
def test_a_body_that_can_not_be_read_is_refused(body):
    with pytest.raises(HookRefused):
        Drone.parse_webhook(Hook(headers={}, body=body))


@pytest.mark.parametrize("body", [{}, {"event": "new"}, {"event": "build", "repo": []}])
def test_what_is_of_no_interest_gives_no_hint(body):
    assert Drone.parse_webhook(Hook(headers={}, body=json.dumps(body).encode())) == []
