"""The audit trail: known actions only, no secrets, no changes."""

import pytest
from django.contrib.auth.models import User

from portal import audit
from portal.models import AuditEvent
from portal.policy import Actor

pytestmark = pytest.mark.django_db


def test_an_event_keeps_who_did_it_after_the_account_is_gone():
    user = User.objects.create_user("ana", first_name="Ana", last_name="Ruiz")
    event = audit.record("signin", user=user)
    user.delete()
    event.refresh_from_db()
    assert (event.actor, event.outcome) == ("Ana Ruiz", "ok")


def test_an_unregistered_action_is_refused():
    with pytest.raises(KeyError):
        audit.record("made.up")


def test_secrets_in_data_are_redacted_and_references_kept():
    data = {"before": {"api_token": "abc", "credential_ref": "env:X"}, "list": [{"password": "p"}]}
    event = audit.record("admin.change", data=data)
    assert event.data["before"] == {"api_token": audit.REDACTED, "credential_ref": "env:X"}
    assert event.data["list"] == [{"password": audit.REDACTED}]


def test_events_are_neither_changed_nor_deleted():
    event = audit.record("signin")
    event.reason = "changed"
    for rewrite in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(reason="changed"),
    ):
        with pytest.raises(TypeError):
            rewrite()
    assert AuditEvent.objects.get().reason == ""


def test_what_an_agent_did_has_both_names():
    event = audit.record("signin", actor=Actor(user_id=7, name="Ana", agent="Claude"))
    assert (event.actor_id, event.actor, event.on_behalf_of) == (7, "Claude (agent)", "Ana")
