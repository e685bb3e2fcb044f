"""A page is shown only where policy allows it, and a refusal leaves a trace."""

import pytest
from django.contrib.auth.models import User
from django.http import Http404

from portal.guard import Denied, actor_of, require, require_seen
from portal.models import AuditEvent
from portal.policy import Target

pytestmark = pytest.mark.django_db
TARGET = Target("payments-api", frozenset({("service", "component:default/pay")}))


@pytest.fixture
def request_of_vic(rf):
    request = rf.get("/x/")
    request.user = User.objects.create_user("vic")
    request.request_id = "r1"
    return request


def test_what_policy_allows_passes_without_a_trace(request_of_vic):
    assert require(request_of_vic, "catalog.view", TARGET).allowed
    assert not AuditEvent.objects.exists()


def test_a_refusal_carries_its_decision_and_is_audited(request_of_vic):
    with pytest.raises(Denied, match="may not start builds") as refused:
        require(request_of_vic, "build.start", TARGET)
    assert refused.value.decision.rule == "permission"
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.actor) == ("page.deny", "denied", "vic")
    assert (event.target, event.rule, event.request_id) == ("payments-api", "permission", "r1")
    assert event.data == {"action": "build.start"}


def test_what_may_not_be_seen_is_not_there_and_the_trail_says_why(request_of_vic):
    with pytest.raises(Http404, match="There is no such thing"):
        require_seen(request_of_vic, "build.start", TARGET, "There is no such thing.")
    assert AuditEvent.objects.get().rule == "permission"


def test_the_person_is_read_once_per_request(request_of_vic, django_assert_num_queries):
    actor_of(request_of_vic)
    with django_assert_num_queries(0):
        assert actor_of(request_of_vic).name == "vic"
