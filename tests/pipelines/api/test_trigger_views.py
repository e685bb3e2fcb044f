"""What a token asks for is its person's, and no more than both may; nothing here approves."""

import uuid

import pytest

from pipelines.api.bodies import MAX_BODY
from pipelines.api.urls import urlpatterns
from pipelines.dispatch import dispatch
from pipelines.models import Approval, Trigger
from portal import api_denials
from portal.api_tokens import revoke
from portal.models import AuditEvent
from portal.policy import PEOPLE_ONLY
from tests.pipelines.api.conftest import Api, start
from tests.pipelines.forgeries import FIELDS, HEADERS
from tests.pipelines.four_eyes import approve, make_guarded
from tests.pipelines.world import make_build, make_person

pytestmark = pytest.mark.django_db(transaction=True)


def denial(error):
    return error["rule"], bool(error["reason"]), bool(error["suggestion"])


# --- Asking ------------------------------------------------------------------------------------
def test_create_asks_in_the_persons_name(api, ana):
    found = api.trigger(start(note="The fix for 42."))
    trigger = Trigger.objects.get()
    assert (trigger.actor, trigger.agent, trigger.note) == (ana, "Claude", "The fix for 42.")
    assert (found["state"], found["person"], found["agent"]) == ("queued", "Ana", "Claude")
    assert found["decision"]["effect"] == "allow"
    assert found["links"]["page"].endswith(f"/triggers/{trigger.request_id}/")
    event = AuditEvent.objects.get(action="build.start")
    assert (event.actor, event.on_behalf_of) == ("Claude (agent)", "Ana")
    assert event.data["by"] == api.row.pk


def test_create_asks_the_database_a_bounded_number_of_times(api, django_assert_max_num_queries):
    with django_assert_max_num_queries(24):
        api.trigger(start())


def test_create_is_sent_and_leads_to_its_build(api):
    found = api.trigger(start())
    dispatch(Trigger.objects.get().pk)
    found = api.get(f"/triggers/{found['id']}")
    assert found["state"] == "linked"
    build = api.get(f"/builds/{found['build']}")
    assert (build["person"], build["agent"]) == ("Ana", "Claude")
    assert build["trigger"] == found["id"]


def test_create_again_with_the_same_key_is_the_same_request(api):
    key = uuid.uuid4()
    first = api.trigger(start(), key=key)
    again = api.trigger(start(), 200, key=key)
    assert {**again, "decision": 0} == {**first, "decision": 0}
    assert Trigger.objects.count() == 1


@pytest.mark.parametrize("other", [{"branch": "next"}, {"note": "x"}, {"commit": "a" * 40}])
def test_create_with_the_same_key_and_another_body_is_refused(api, other):
    key = uuid.uuid4()
    api.trigger(start(), key=key)
    assert "other values" in api.trigger(start(**other), 422, key=key)["message"]
    assert Trigger.objects.count() == 1


@pytest.mark.parametrize("key", ["", "7", "not-a-uuid"])
def test_create_needs_a_key(api, key):
    assert "Idempotency-Key" in api.trigger(start(), 422, key=key)["fields"]


def test_create_waits_where_others_have_to_agree(api):
    make_guarded()
    found = api.trigger(start())
    assert found["state"] == "awaiting"
    assert found["decision"]["effect"] == "needs_approval"
    assert found["approvals"] | {"until": 0} == {"needed": 1, "given": 0, "until": 0}
    approve(make_person("bo", "deployer"), Trigger.objects.get())
    assert api.get(f"/triggers/{found['id']}")["approvals"]["given"] == 1


def test_create_says_why_not_and_what_would_help(link):
    vic = Api(make_person("vic"))
    assert denial(vic.trigger(start(), 403)) == ("permission", True, True)
    assert not Trigger.objects.exists()
    assert AuditEvent.objects.filter(outcome="denied", actor="Claude (agent)").count() == 1


def test_create_is_cut_to_what_the_token_was_made_for(ana, link):
    reader = Api(ana, ("build.view",))
    assert reader.trigger(start(), 403)["rule"] == "token"
    assert Api(ana, ("build.start",)).trigger(start(), 403)["rule"] == "token"


def test_create_is_not_for_what_one_may_not_see(api):
    for wrong in ({"entity": "component:default/none"}, {"pipeline": "buildkite:acme/none"}):
        assert list(api.trigger(start(**wrong), 422)["fields"]) == list(wrong)


def test_a_cancel_and_a_retry_name_their_build(api, link):
    build = make_build(link.pipeline, 7, "running")
    about = {**start(), "action": "cancel", "build": build.pk}
    del about["commit"]
    assert api.trigger(about)["about"] == build.pk
    assert api.trigger({**about, "action": "retry"}, 403)["rule"] == "blocked"
    assert list(api.trigger({**about, "build": build.pk + 1}, 422)["fields"]) == ["build"]


# --- Bad bodies --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"actor": "boss"}, "actor"),
        ({"action": "approve"}, "action"),
        ({"action": ["start"]}, "action"),
        ({"action": "cancel"}, "build"),
        ({"action": "promote"}, "target"),
        ({"action": "activate"}, "commit"),
        ({"entity": None}, "entity"),
        ({"pipeline": ""}, "pipeline"),
        ({"branch": 7}, "branch"),
        ({"branch": "a..b"}, "branch"),
        ({"commit": "abc"}, "commit"),
        ({"note": "x" * 1001}, "note"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"A": 1}}, "parameters"),
        ({"parameters": {f"A{n}": "" for n in range(501)}}, "parameters"),
        ({"parameters": {"STAGEDOOR_PERSON": "boss"}}, "parameters.STAGEDOOR_PERSON"),
        ({"build": True}, "build"),
        ({"build": 2**63}, "build"),
    ],
)
def test_a_wrong_value_is_named(api, fields, named):
    assert named in api.trigger(start(**fields), 422)["fields"]
    assert not Trigger.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("[" * 100_000, 400),
        ('{"entity": "\\u0000"}', 400),
        ('{"note": "\\ud800"}', 400),
        # JSON is UTF-8; in anything else, what no column holds would not be seen.
        (b'{"note": "\xed\xa0\x80"}', 400),
        ('{"note": "\\u0000"}'.encode("utf-16"), 400),
        (f'{{"note": "{"x" * MAX_BODY}"}}', 413),
    ],
)
def test_what_is_no_body_is_refused(api, body, status):
    assert api.trigger(body, status)["message"]


def test_nothing_in_a_call_says_who_asks(api, ana):
    make_person("boss", "admin")
    headers = {f"HTTP_{name.upper().replace('-', '_')}": "boss" for name in HEADERS}
    headers |= {"REMOTE_USER": "boss", "HTTP_COOKIE": "sessionid=boss"}
    api.trigger(start(), **headers)
    assert Trigger.objects.get().actor == ana
    for name in FIELDS:
        assert api.trigger(start(**{name: "boss"}), 422)["fields"][name] == "unknown field"
    assert Trigger.objects.count() == 1


# --- Nobody approves by a token ----------------------------------------------------------------
def test_no_address_approves():
    assert [str(one.pattern) for one in urlpatterns if "approv" in str(one.pattern)] == []


def test_an_agent_approves_nothing_even_where_its_token_says_so(link, client):
    make_guarded()
    boss, ana = make_person("boss", "admin"), make_person("ana", "deployer")
    found = Api(ana).trigger(start())
    agent = Api(boss, (*PEOPLE_ONLY, "build.view"))
    seen = Trigger.objects.get()
    page = f"/triggers/{found['id']}/approval/"
    form = {"verdict": "approve", "fingerprint": seen.fingerprint}
    client.post(page, form, headers={"authorization": f"Bearer {agent.secret}"})
    assert not Approval.objects.exists()
    assert Trigger.objects.get().state == "awaiting"


# --- Afterwards --------------------------------------------------------------------------------
def test_trigger_is_there_for_whom_may_see_it(api, link):
    found = api.trigger(start())
    assert Api(make_person("vic")).get(f"/triggers/{found['id']}")["person"] == "Ana"
    api.get(f"/triggers/{uuid.uuid4()}", 404)
    api.get("/triggers/7", 404)


def test_withdraw_takes_back_ones_own(api, ana, link):
    path = f"/triggers/{api.trigger(start())['id']}/withdraw"
    assert Api(make_person("boss", "admin")).post(path, status=403)
    assert Api(ana, ("build.view",)).post(path, status=403)["rule"] == "token"
    assert Api(ana, agent="Other").post(path, status=403)["rule"] == "agent"
    assert api.post(path)["state"] == "withdrawn"
    assert "meantime" in api.post(path, status=409)["message"]


def test_a_revoked_token_asks_no_more_and_what_waits_ends(api, ana):
    make_guarded()
    api.trigger(start())
    revoke(api.row, ana, None)
    assert Trigger.objects.get().state == "withdrawn"
    assert "revoked" in api.trigger(start(), 401)["message"]


def test_a_token_that_is_denied_all_night_does_not_fill_the_trail(link, caplog):
    vic = Api(make_person("vic"))
    for _ in range(api_denials.PER_MINUTE + 5):
        vic.trigger(start(), 403)
    assert AuditEvent.objects.filter(outcome="denied").count() == api_denials.PER_MINUTE
    assert caplog.text.count("denied build.start") == api_denials.PER_MINUTE + 5
