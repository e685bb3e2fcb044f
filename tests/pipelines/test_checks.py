"""The connection test says who the credential is; health says what waits or does not answer."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from pipelines import budget, checks
from pipelines.models import Quota, Server, Trigger
from pipelines.servers import OPEN_AFTER, adapter_of, is_open
from portal import credential_ages
from portal.models import Credential
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db


def said(server, answer):
    return [sentence for _, sentence in checks.sentences(server.name, answer)]


def test_a_connection_test_says_who_what_lacks_and_when_it_ends(sandbox, server_at):
    token = "bkua_" + "f" * 32
    sandbox.buildkite.add_token(
        token, login="bot", name="Bot", rights=["read_builds", "write_agents"], expires_in_days=30
    )
    sandbox.buildkite.token = token
    server = server_at(sandbox.buildkite, options={"organizations": ["acme"]})
    answer = checks.ask_who(server)
    assert (answer["ok"], answer["who"]) == (True, "Bot")
    assert "write_builds" in [right for right, _ in answer["lacks"]]
    assert [right for right, _ in answer["unused"]] == ["write_agents"]
    server.refresh_from_db()
    assert server.check_result == answer
    assert server.checked_at
    sentences = said(server, answer)
    assert sentences[0] == "Buildkite answers. The credential is Bot."
    assert any(sentence.startswith("It lacks write_builds, needed to") for sentence in sentences)
    assert any(sentence.startswith("It expires on 20") for sentence in sentences)


def test_a_connection_test_tells_the_version(sandbox, server_at):
    server = server_at(sandbox.jenkins)
    answer = checks.ask_who(server)
    assert answer["version"]
    assert said(server, answer)[0].startswith(f"Jenkins answers, {answer['version']}.")


def test_a_failed_connection_test_is_a_sentence_without_the_secret(sandbox, server_at, monkeypatch):
    server = server_at(sandbox.buildkite)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BUILDKITE", "wrong-secret")
    answer = checks.ask_who(server)
    assert answer["ok"] is False
    assert "credential" in answer["error"]
    assert "wrong-secret" not in str(answer)
    assert said(server, answer) == [f"Buildkite: {answer['error']}"]
    assert Server.objects.get().last_error == answer["error"]


def test_a_good_test_ends_the_wait_after_failures(sandbox, server_at):
    server = server_at(sandbox.buildkite)
    sandbox.stop()
    checks.ask_who(server)
    assert Server.objects.get().not_before
    sandbox.start()
    checks.ask_who(server)
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


# --- By itself --------------------------------------------------------------------------------
def test_a_server_is_tested_by_itself_and_then_rests(sandbox, server_at):
    server = server_at(sandbox.buildkite)
    assert checks.due(timezone.now()) == [server.pk]
    assert checks.check(server.pk)
    server.refresh_from_db()
    assert server.check_result["ok"]
    assert not checks.check(server.pk)
    assert checks.due(timezone.now()) == []
    assert checks.due(timezone.now() + checks.EVERY) == [server.pk]


def test_a_dead_token_is_noticed_and_tested_again_sooner(sandbox, server_at, monkeypatch):
    server = server_at(sandbox.buildkite)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BUILDKITE", "dead")
    checks.check(server.pk)
    server.refresh_from_db()
    assert "credential" in server.last_error
    assert server.check_due_at < timezone.now() + checks.EVERY


def test_the_test_is_what_tries_whether_a_silent_server_is_back(sandbox, server_at):
    server = server_at(sandbox.buildkite)
    sandbox.stop()
    for _ in range(3):
        checks.ask_who(server)
    assert checks.due(timezone.now()) == []
    sandbox.start()
    Server.objects.update(not_before=timezone.now(), check_due_at=timezone.now() + checks.EVERY)
    assert checks.due(timezone.now()) == [server.pk]
    assert checks.check(server.pk)
    server.refresh_from_db()
    assert (server.failures, server.unreachable_since) == (0, None)


def test_one_failure_is_enough_to_be_tried_again_soon(sandbox, server_at):
    """Nobody may look for hours: it must not read as unreachable for as long."""
    server = server_at(sandbox.buildkite)
    now = timezone.now()
    later = {"check_due_at": now + timedelta(hours=6), "unreachable_since": now}
    Server.objects.update(failures=1, not_before=now + timedelta(seconds=5), **later)
    assert checks.due(now) == []
    assert checks.due(now + timedelta(seconds=6)) == [server.pk]
    Server.objects.update(not_before=now)
    assert checks.check(server.pk)
    server.refresh_from_db()
    assert (server.failures, server.unreachable_since) == (0, None)
    assert not checks.check(server.pk)


def test_a_server_is_tried_although_what_nobody_waits_for_is_used_up(sandbox, server_at):
    """What people asked for waits for the answer, and an hourly limit would make that an hour."""
    server = server_at(sandbox.buildkite)
    now = timezone.now()
    budget.quotas_for(server, adapter_of(server).limits)
    Quota.objects.update(window_started_at=now, swept=F("limit"))
    past = now - timedelta(seconds=1)
    Server.objects.update(failures=OPEN_AFTER, unreachable_since=past, not_before=past)
    assert checks.check(server.pk)
    assert not is_open(Server.objects.get())


def test_a_server_that_is_switched_off_is_not_tested(sandbox, server_at):
    server = server_at(sandbox.buildkite, enabled=False)
    assert checks.due(timezone.now()) == []
    assert not checks.check(server.pk)
    assert sandbox.requests() == []


def test_a_spent_budget_leaves_the_last_result(sandbox, server_at):
    server = server_at(sandbox.buildkite)
    checks.check(server.pk)
    before = Server.objects.get().check_result
    budget.exhaust(server, timezone.now() + timedelta(minutes=1))
    Server.objects.update(check_due_at=timezone.now())
    assert checks.check(server.pk)
    server.refresh_from_db()
    assert (server.check_result, server.last_error) == (before, "")


def test_a_test_keeps_age_end_and_identity_of_the_credential(sandbox, server_at):
    token = sandbox.buildkite.add_token("bkua_" + "e" * 32, login="bot", expires_in_days=5)
    sandbox.buildkite.token = token
    server = server_at(sandbox.buildkite)
    checks.ask_who(server)
    known = credential_ages.age_of(server.credential_ref)
    assert known.told_by_vendor
    assert known.expires_at < timezone.now() + timedelta(days=6)
    assert token not in str(vars(known))
    assert "who_id" in Server.objects.get().check_result


def test_health_says_how_many_credentials_have_to_be_replaced_and_names_none():
    server = make_server()
    old = timezone.now() - timedelta(days=85)
    row = Credential.objects.create(reference=server.credential_ref, first_used_at=old)
    (said,) = [check for check in checks.health_checks() if check.name == "credentials"]
    assert said.ok
    assert said.message.endswith("replaced soon: 1.")
    row.expires_at = timezone.now()
    row.save()
    (said,) = [check for check in checks.health_checks() if check.name == "credentials"]
    assert not said.ok
    assert "Buildkite" not in said.message
    assert server.credential_ref not in said.message
