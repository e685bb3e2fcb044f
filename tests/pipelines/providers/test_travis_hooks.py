"""Travis CI's webhooks: signed by its own key, known again by what they say."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from pipelines.providers.base import Hint, Hook, HookKeys, HookScope
from pipelines.providers.errors import HookRefused
from pipelines.providers.travis import Travis
from portal.credentials import Secret

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
SAID = {
    "id": 42,
    "number": "7",
    "state": "passed",
    "status_message": "Passed",
    "started_at": "2026-11-01T00:00:00Z",
    "finished_at": "2026-11-01T00:01:00Z",
    "message": "Größe + 100 % ✓",
    "repository": {"id": 3, "name": "checkout", "owner_name": "acme"},
}


def pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEYS = HookKeys(public_keys=(pem(OTHER), pem(KEY)))


def hook(said=SAID, key=KEY, digest=None, **headers) -> Hook:
    payload = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    signature = key.sign(payload.encode(), PKCS1v15(), digest or SHA1())
    told = {"signature": base64.b64encode(signature).decode(), **headers}
    return Hook(told, urlencode({"payload": payload}).encode())


def verify(delivery, keys=KEYS) -> str:
    return Travis.verify_webhook(delivery, keys, NOW)


def test_a_signed_delivery_is_believed_and_has_one_id():
    first = verify(hook())
    assert first == verify(hook())
    assert len(first) == 64
    others = [{"state": "started"}, {"id": 43}, {"started_at": "x"}, {"finished_at": None}]
    assert len({first, *(verify(hook({**SAID, **other})) for other in others)}) == 5


def test_it_hints_at_the_build_and_believes_no_header():
    delivery = hook(**{"travis-repo-slug": "evil/other"})
    assert Travis.parse_webhook(delivery) == [
        Hint(event="passed", pipelines=("acme/checkout",), build="42")
    ]
    assert Travis.hook_scope is HookScope.PIPELINE


def test_without_a_key_everything_is_refused_a_secret_or_not():
    for keys in (HookKeys(), HookKeys(secrets=(Secret("s3cr3t"),))):
        with pytest.raises(HookRefused, match="connection test") as caught:
            verify(hook(), keys)
        assert not caught.value.stale_key


def test_a_signature_of_another_key_asks_for_the_key_anew():
    stranger = rsa.generate_private_key(65537, 2048)
    with pytest.raises(HookRefused) as caught:
        verify(hook(key=stranger))
    assert caught.value.stale_key


@pytest.mark.parametrize("signature", ["", "not base64!", "Zm9v"])
def test_a_signature_that_is_none_is_refused(signature):
    with pytest.raises(HookRefused):
        verify(replace(hook(), headers={"signature": signature}))
    with pytest.raises(HookRefused):
        verify(replace(hook(), headers={}))


def test_only_the_vendors_digest_over_the_very_text_counts():
    with pytest.raises(HookRefused):
        verify(hook(digest=SHA256()))
    spaced = hook()
    body = parse_qs(spaced.body.decode())["payload"][0]
    again = json.dumps(json.loads(body), ensure_ascii=False, indent=1)
    with pytest.raises(HookRefused):
        verify(replace(spaced, body=urlencode({"payload": again}).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"other=1",
        b"payload=a&payload=b",
        b"payload=%ff",
        b"\xff\xfe",
        b"&".join(b"a=%d" % n for n in range(50)),
    ],
)
def test_a_body_that_is_no_such_form_is_refused(body):
    with pytest.raises(HookRefused):
        verify(replace(hook(), body=body))
    with pytest.raises(HookRefused):
        Travis.parse_webhook(replace(hook(), body=body))


@pytest.mark.parametrize("said", ["[]", "nonsense", "[" * 100_000, "{}", '{"repository": 1}'])
def test_a_signed_payload_that_says_nothing_is_refused(said):
    with pytest.raises(HookRefused):
        Travis.parse_webhook(hook(said))


def test_a_key_that_is_none_of_rsa_is_passed_over():
    odd = pem(ec.generate_private_key(ec.SECP256R1()))
    keys = HookKeys(public_keys=("nonsense", "ключ", odd, pem(KEY)))
    assert verify(hook(), keys) == verify(hook())


HARDENED = """
openssl_conf = openssl_init
[openssl_init]
alg_section = algorithms
[algorithms]
default_properties = fips=yes
"""
ASK = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.providers.base import Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.travis import hooks

delivery = Hook({"signature": sys.argv[1]}, sys.argv[2].encode())
try:
    hooks.verify(delivery, HookKeys(public_keys=(sys.argv[3],)))
except HookRefused as refused:
    print(refused)
"""


def test_a_host_that_forbids_sha1_is_told_so(tmp_path):
    """A policy holds for a whole process, so the question is asked in one of its own."""
    policy = tmp_path / "openssl.cnf"
    policy.write_text(HARDENED)
    delivery = hook()
    arguments = [delivery.headers["signature"], delivery.body.decode(), pem(KEY)]
    answers = [
        subprocess.run(
            [sys.executable, "-c", ASK, *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, **changed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for changed in ({}, {"OPENSSL_CONF": str(policy)})
    ]
    assert answers[0] == ""
    assert "forbids SHA-1" in answers[1]
