"""Groups of GitHub and Bitbucket between sign-ins: read hourly, whole or not at all."""

from datetime import timedelta

import pytest
from django.conf import settings as conf
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from portal.access import actor_for
from portal.models import AuditEvent, GroupReading, Identity
from portal.social.membership import read_all
from portal.tasks import read_members
from tests.portal.social.test_adapter import BITBUCKET, come_in, groups

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(settings, github):
    """A reading of GitHub; mara is in both the organisation and its team."""
    settings.GITHUB_MEMBERS_TOKEN = "ghs_members"
    github.members = {"limelight": {"": [4711, 4712], "payments": [4711]}, "spotlight": {"": []}}

    def reading() -> GroupReading:
        read_all(timezone.now())
        return GroupReading.objects.get()

    return reading


def test_a_new_team_counts_without_a_new_sign_in(client, github, read):
    come_in(client)
    github.members["limelight"]["search"] = [4711]
    read_members()
    assert groups(User.objects.get())[-1] == "github:limelight/search"
    reading = GroupReading.objects.get()
    assert (reading.people, reading.error) == (2, "")
    event = AuditEvent.objects.filter(action="signin.groups").first()
    assert event.data["what"] == ["joined github:limelight/search"]


def test_who_left_loses_groups_and_sessions(client, github, read):
    come_in(client)
    github.members["limelight"] = {"": [4712], "payments": [4712]}
    read()
    assert groups(User.objects.get()) == []
    assert client.get("/account/").status_code == 302
    assert AuditEvent.objects.filter(action="access.end").exists()


def test_who_came_in_by_the_company_keeps_the_session(client, github, read):
    come_in(client)
    user = User.objects.get()
    Identity.objects.create(issuer="https://idp.example", subject="mara", user=user)
    github.members["limelight"] = {"": [4712]}
    read()
    assert groups(user) == []
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v3/orgs/limelight/members", 503),
        ("/api/v3/orgs/limelight/teams/payments/members", 403),
        ("/api/v3/orgs/spotlight/teams", 429),
    ],
)
def test_a_reading_that_fails_takes_nothing_from_anybody(client, github, read, path, status):
    come_in(client)
    github.members["limelight"] = {"": [4712], "payments": []}
    github.answers[path] = status
    before = timezone.now()
    reading = read()
    assert str(status) in reading.error
    assert reading.read_at is None
    assert len(groups(User.objects.get())) == 2
    assert Identity.objects.get().confirmed_at < before


def test_a_reading_confirms_groups_and_so_does_a_sign_in(client, github, read):
    come_in(client)
    assert Identity.objects.get().confirmed_at is not None
    Identity.objects.update(confirmed_at=timezone.now() - timedelta(days=90))
    assert actor_for(User.objects.get()).incomplete
    read()
    assert actor_for(User.objects.get()).incomplete == ""


def test_nobody_at_all_is_not_believed(client, github, read):
    come_in(client)
    github.members = {"limelight": {"": []}, "spotlight": {"": []}}
    assert "nobody at all" in read().error
    assert len(groups(User.objects.get())) == 2


def test_many_gone_at_once_wait_for_a_person(github, read):
    for number in range(10):
        user = User.objects.create_user(f"p{number}")
        Identity.objects.create(
            issuer=github.url, subject=str(number), user=user, groups=["limelight"]
        )
    assert "10 of 10 people would lose everything" in read().error


def test_bitbucket_groups_come_from_an_administrators_reading_alone(client, bitbucket, settings):
    settings.BITBUCKET_MEMBERS_TOKEN = "bb_members"
    bitbucket.members = {"limelight": {"": ["557058:mara"], "deployers": ["557058:mara"]}}
    come_in(client, BITBUCKET)
    read_all(timezone.now())
    user = User.objects.get()
    assert groups(user) == ["bitbucket:limelight", "bitbucket:limelight/deployers"]
    Identity.objects.update(confirmed_at=timezone.now() - timedelta(days=90))
    come_in(Client(), BITBUCKET)  # which tells of workspaces only
    assert groups(user) == ["bitbucket:limelight", "bitbucket:limelight/deployers"]
    assert "an administrator has to see why" in actor_for(user).incomplete


def test_without_the_groups_bitbucket_gives_workspaces_and_says_so(client, bitbucket, settings):
    settings.BITBUCKET_MEMBERS_TOKEN = "bb_members"
    bitbucket.members = {"limelight": {"": ["557058:mara"]}}
    bitbucket.answers["/1.0/groups/limelight/"] = 403
    come_in(client, BITBUCKET)
    read_all(timezone.now())
    assert "workspaces only" in GroupReading.objects.get().note


def test_nothing_is_asked_without_a_credential(github):
    assert conf.GITHUB_MEMBERS_TOKEN == ""
    read_members()
    assert github.asked == []
