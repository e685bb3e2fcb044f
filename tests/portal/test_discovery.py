"""The provider's description is believed only when it is the configured issuer's."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from portal import discovery
from portal.process_cache import notes
from portal.signin_failure import SignInFailure
from tests.httpd import endless, json_reply, reply
from tests.portal.oidc.provider import DROP, Provider


def code_of_failure() -> str:
    with pytest.raises(SignInFailure) as caught:
        discovery.discovery_document()
    return caught.value.code


def age_the_copy(seconds: float, what: str = "discovery") -> None:
    key = discovery._cache_key(what)
    entry = notes.get(key)
    entry["at"] = time.time() - seconds
    notes.set(key, entry)


def test_the_document_is_fetched_once_an_hour(provider: Provider):
    assert discovery.endpoint("token_endpoint") == provider.issuer + "/token"
    discovery.endpoint("jwks_uri")
    assert len(provider.httpd.asked) == 1
    age_the_copy(3601)
    discovery.endpoint("jwks_uri")
    assert len(provider.httpd.asked) == 2


def test_another_issuer_is_refused_to_the_letter(provider: Provider):
    for issuer in (provider.issuer + "/", provider.issuer.upper(), "https://evil.example", DROP):
        provider.discovery = {"issuer": issuer}
        assert code_of_failure() == "provider_misconfigured"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [DROP, "", 7, "javascript:alert(1)", "/relative"])
def test_an_endpoint_that_is_no_url_is_refused(provider, name, value):
    provider.discovery = {name: value}
    assert code_of_failure() == "provider_misconfigured"


def test_an_https_issuer_sends_nobody_to_plain_http(settings):
    settings.OIDC_OP_ISSUER = "https://id.example"
    document = {
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/a",
        "token_endpoint": "http://id.example/t",
        "jwks_uri": "https://id.example/j",
    }
    with pytest.raises(SignInFailure) as caught:
        discovery._checked(document)
    assert "token_endpoint" in caught.value.detail


def test_an_optional_endpoint_may_be_missing(provider: Provider):
    provider.discovery = {"userinfo_endpoint": DROP, "end_session_endpoint": DROP}
    assert discovery.endpoint("userinfo_endpoint") == ""


@pytest.mark.parametrize(
    "behaviour",
    [reply(503), reply(200, "<html>"), json_reply("[]"), json_reply("{"), endless, reply(302)],
    ids=["503", "html", "list", "broken", "endless", "redirect"],
)
def test_an_answer_that_is_no_document_counts_as_down(provider, behaviour):
    provider.httpd.behaviour = behaviour
    assert code_of_failure() == "provider_down"


def test_a_redirect_is_not_followed(provider: Provider):
    elsewhere = "http://127.0.0.1:9/evil"
    provider.httpd.behaviour = reply(302, Location=elsewhere)
    assert code_of_failure() == "provider_down"
    assert len(provider.httpd.asked) == 1


def test_while_the_provider_is_down_the_last_copy_serves(provider: Provider):
    discovery.discovery_document()
    age_the_copy(24 * 3600)
    provider.httpd.behaviour = reply(503)
    assert discovery.endpoint("end_session_endpoint") == provider.issuer + "/end"
    discovery.endpoint("token_endpoint")
    assert len(provider.httpd.asked) == 2  # not once for every request


def test_a_copy_does_not_hide_that_the_issuer_changed(provider: Provider):
    discovery.discovery_document()
    age_the_copy(3601)
    provider.discovery = {"issuer": "https://evil.example"}
    assert code_of_failure() == "provider_misconfigured"


@pytest.mark.parametrize("keys", ['{"keys": {}}', "{}", '{"keys": null}'])
def test_a_key_set_without_a_list_counts_as_down(provider, keys):
    discovery.discovery_document()
    provider.httpd.behaviour = json_reply(keys)
    with pytest.raises(SignInFailure) as caught:
        discovery.signing_keys()
    assert caught.value.code == "provider_down"


def keys_of(provider: Provider) -> list[str | None]:
    return [key.get("kid") for key in discovery.signing_keys()]


def test_while_the_provider_is_down_the_last_keys_serve(provider: Provider):
    before = keys_of(provider)
    age_the_copy(3601, "jwks")
    provider.httpd.behaviour = reply(503)
    asked = len(provider.httpd.asked)
    assert [keys_of(provider), keys_of(provider)] == [before, before]
    assert discovery.signing_keys(refetch=True)
    assert len(provider.httpd.asked) == asked + 1


@pytest.mark.parametrize("ask", [discovery.discovery_document, discovery.signing_keys])
def test_a_provider_that_is_down_is_not_asked_for_every_visitor(provider: Provider, ask):
    provider.httpd.behaviour = reply(503)
    for _ in range(3):
        with pytest.raises(SignInFailure, match="503"):
            ask()
    assert len(provider.httpd.asked) == 1


def test_a_provider_that_hangs_is_asked_by_one_while_few_wait_and_the_others_are_answered(
    provider: Provider,
):
    discovery.discovery_document()
    asked, answer = threading.Event(), threading.Event()

    def hang(handler: Any) -> None:
        asked.set()
        answer.wait(20)
        json_reply('{"keys": []}')(handler)

    provider.httpd.behaviour = hang
    with ThreadPoolExecutor(discovery.MAX_WAITING) as visitors:
        waiting = [visitors.submit(discovery.signing_keys) for _ in range(discovery.MAX_WAITING)]
        assert asked.wait(20)
        while discovery._WAITING._value:
            time.sleep(0.01)
        with pytest.raises(SignInFailure, match="too many wait"):
            discovery.signing_keys()
        answer.set()
        assert [one.result() for one in waiting] == [[]] * discovery.MAX_WAITING
    assert provider.paths().count("/jwks") == 1
