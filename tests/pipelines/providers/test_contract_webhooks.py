"""Shared cases of webhooks: whom an adapter believes, and what it makes of a delivery."""

from datetime import UTC, datetime

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, Hook, HookKeys, HookScope
from pipelines.providers.errors import HookRefused
from pipelines.sandbox.vendors import VENDORS
from pipelines.sandbox.wire import Changed
from portal.credentials import Secret
from tests.pipelines.providers.conftest import ended
from tests.pipelines.providers.test_contract import started
from tests.pipelines.providers.traits import traits_of

SECRET = "a-secret-of-the-hook"


def delivered(installation, secret: str = SECRET):
    """A real delivery about a real build as the vendor signs it, and the keys to check it with."""
    adapter, _, build = started(installation)
    last = ended(adapter, build)
    handle = installation.handle
    seen = handle.build(installation.pipeline, last.number)
    change = Changed(handle.instance, seen, None, seen.at(handle.instance.now()))
    target = f"https://stagedoor.example/hooks/ci/{secret}/"
    hooks = list(VENDORS[installation.slug].hooks(change, target, secret))
    assert hooks
    keys = HookKeys((Secret(secret),), adapter.check().public_keys)
    return adapter, last, [as_hook(sent, secret) for sent in hooks], keys


def as_hook(sent, secret: str) -> Hook:
    headers = {name.lower(): value for name, value in sent.headers.items()}
    path = secret if sent.url.endswith(f"/{secret}/") else ""
    return Hook(headers, sent.body, path)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.needs(Capability.WEBHOOK)
def test_a_delivery_is_believed_and_says_which_build_changed(installation):
    adapter, build, hooks, keys = delivered(installation)
    hints = []
    for hook in hooks:
        assert adapter.verify_webhook(hook, keys, now())
        hints += adapter.parse_webhook(hook)
    assert {hint.build for hint in hints} & {build.external_id, ""}
    assert all(installation.pipeline in hint.pipelines for hint in hints if hint.build)
    assert any(installation.pipeline in hint.pipelines for hint in hints)
    assert adapter.hook_scope is not HookScope.NONE


@pytest.mark.needs(Capability.WEBHOOK)
def test_a_delivery_has_one_id_however_often_it_comes(installation):
    adapter, _, hooks, keys = delivered(installation)
    ids = [adapter.verify_webhook(hook, keys, now()) for hook in hooks]
    assert ids == [adapter.verify_webhook(hook, keys, now()) for hook in hooks]
    assert all(0 < len(delivery) <= 100 for delivery in ids)


@pytest.mark.needs(Capability.WEBHOOK)
def test_a_delivery_signed_with_something_else_is_refused(installation):
    adapter, _, hooks, keys = delivered(installation)
    foreign = HookKeys((Secret("another-secret"),), ())
    for hook in hooks:
        with pytest.raises(HookRefused):
            adapter.verify_webhook(hook, foreign, now())
        with pytest.raises(HookRefused):
            adapter.verify_webhook(Hook({}, hook.body), keys, now())


@pytest.mark.needs(Capability.WEBHOOK)
def test_without_a_key_every_delivery_is_refused(installation):
    adapter, _, hooks, _ = delivered(installation)
    empty = HookKeys((Secret(""),), ("",))
    for hook in hooks:
        for without in (HookKeys(), empty):
            with pytest.raises(HookRefused):
                adapter.verify_webhook(hook, without, now())


@pytest.mark.needs(Capability.WEBHOOK)
def test_nobody_signs_with_an_empty_secret(installation):
    adapter, _, hooks, _ = delivered(installation, secret="")
    for hook in hooks:
        with pytest.raises(HookRefused):
            adapter.verify_webhook(hook, HookKeys((Secret(""),)), now())


@pytest.mark.needs(Capability.WEBHOOK)
def test_while_a_secret_is_replaced_both_are_believed(installation):
    adapter, _, hooks, keys = delivered(installation)
    both = HookKeys((Secret("the-new-one"), *keys.secrets), keys.public_keys)
    for hook in hooks:
        assert adapter.verify_webhook(hook, both, now())


@pytest.mark.needs(Capability.WEBHOOK)
def test_a_changed_body_is_not_believed_or_changes_nothing_but_where_to_look(installation):
    """Where the vendor signs, a changed body is refused. Jenkins does not sign: its deliveries
    only say where to look."""
    adapter, _, hooks, keys = delivered(installation)
    for hook in hooks:
        forged = Hook(
            hook.headers, hook.body.replace(b"passed", b"failed") + b" ", hook.path_secret
        )
        if not traits_of(installation.slug).signs:
            assert adapter.verify_webhook(forged, keys, now())
        else:
            with pytest.raises(HookRefused):
                adapter.verify_webhook(forged, keys, now())


@pytest.mark.needs(Capability.WEBHOOK)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"payload=", b"[" * 50_000, b'{"build": 7}']
)
def test_a_body_that_makes_no_sense_is_refused_or_of_no_interest(installation, body):
    adapter = PROVIDERS[installation.slug]
    try:
        hints = adapter.parse_webhook(Hook({}, body))
    except HookRefused:
        return
    assert [hint for hint in hints if hint.build] == []


@pytest.mark.needs(Capability.WEBHOOK)
def test_no_secret_shows_in_a_refusal(installation):
    adapter, _, hooks, keys = delivered(installation)
    for hook in hooks:
        with pytest.raises(HookRefused) as caught:
            adapter.verify_webhook(Hook(hook.headers, hook.body + b"x"), keys, now())
        assert SECRET not in f"{caught.value!s} {caught.value!r} {hook!r} {keys!r}"
