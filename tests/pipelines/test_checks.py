"""The connection test says who the credential is; health says what waits or does not answer."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import checks
from pipelines.models import Server, Trigger
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db


def said(server, answer):
    return [sentence for _, sentence in checks.sentences(server.name, answer)]


def test_a_connection_test_says_who_what_lacks_and_when_it_ends(sandbox, server_at):
    token = "bkua_" + "f" * 32
    sandbox.buildkite.add_token(
        token, login="bot", name="Bot", rights=["read_builds", "read_user"], expires_in_days=30
    )
    sandbox.buildkite.token = token
    server = server_at(sandbox.buildkite, options={"organizations": ["acme"]})
    answer = checks.test_connection(server)
    assert (answer["ok"], answer["who"]) == (True, "Bot")
    assert ["write_builds", "start, cancel and retry builds"] in answer["lacks"]
    assert [right for right, _ in answer["unused"]] == ["read_user"]
    server.refresh_from_db()
    assert server.check_result == answer
    assert server.checked_at
    sentences = said(server, answer)
    assert sentences[0] == "Buildkite answers. The credential is Bot."
    assert "It lacks write_builds, needed to start, cancel and retry builds." in sentences
    assert any(sentence.startswith("It expires on 20") for sentence in sentences)


def test_a_connection_test_tells_the_version(sandbox, server_at):
    server = server_at(sandbox.jenkins)
    answer = checks.test_connection(server)
    assert answer["version"]
    assert said(server, answer)[0].startswith(f"Jenkins answers, {answer['version']}.")


def test_a_failed_connection_test_is_a_sentence_without_the_secret(sandbox, server_at, monkeypatch):
    server = server_at(sandbox.buildkite)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BUILDKITE", "wrong-secret")
    answer = checks.test_connection(server)
    assert answer["ok"] is False
    assert "credential" in answer["error"]
    assert "wrong-secret" not in str(answer)
    assert said(server, answer) == [f"Buildkite: {answer['error']}"]
    assert Server.objects.get().last_error == answer["error"]


def test_a_good_test_ends_the_wait_after_failures(sandbox, server_at):
    server = server_at(sandbox.buildkite)
    sandbox.stop()
    checks.test_connection(server)
    assert Server.objects.get().not_before
    sandbox.start()
    checks.test_connection(server)
    assert Server.objects.get().not_before is None


# --- Health -----------------------------------------------------------------------------------
def health():
    return {check.name: check for check in checks.health_checks()}


def test_health_is_well_while_every_server_in_use_answers():
    make_server("bk")
    make_server("off", enabled=False, last_error="no")
    assert health()["servers"].ok


def test_health_counts_the_servers_that_do_not_answer_and_names_none():
    make_server("bk")
    make_server("refused", last_error="Buildkite does not accept the credential.")
    make_server("down", unreachable_since=timezone.now(), last_error="ci.internal:8443: refused.")
    found = health()["servers"]
    assert not found.ok
    assert "Of 3 CI servers, 1 not reached and 1 could not be read." in found.message
    assert not any(word in found.message for word in ("down", "internal", "credential"))


@pytest.mark.parametrize(
    ("state", "minutes", "ok"),
    [("queued", 1, True), ("queued", 3, False), ("dispatching", 3, False), ("uncertain", 9, True)],
)
def test_health_says_when_nothing_is_sent(state, minutes, ok):
    then = timezone.now() - timedelta(minutes=minutes)
    Trigger.objects.create(
        action="start",
        actor_name="Ana",
        pipeline=make_pipeline(make_server(), "acme/shop"),
        state=state,
        not_before=then,
        claimed_until=then,
    )
    assert health()["outbox"].ok is ok
