"""Sign-in through GitHub and Bitbucket: who comes in, as whom, with which groups."""

import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from portal.local_account_urls import door_urls
from portal.models import AuditEvent, Identity
from portal.recent_signin import AT_KEY
from portal.session_refresh import DOOR_KEY
from portal.social.links import LINK_KEY

pytestmark = pytest.mark.django_db
GITHUB, BITBUCKET = "/accounts/github/login/", "/accounts/bitbucket_oauth2/login/"


def come_in(client: Client, login: str = GITHUB, query: str = "?next=/teams/") -> Any:
    """To the provider, which asks nothing, and back."""
    sent = client.get(login + query)
    state = parse_qs(urlsplit(sent["Location"]).query)["state"][0]
    return client.get(f"{login}callback/", {"code": "c0de", "state": state})


def groups(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def test_a_member_signs_in_with_organisations_and_teams(client, github):
    github.organisations = ["Limelight", "elsewhere"]
    github.teams += [("elsewhere", "other")]
    answer = come_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/teams/")
    user = User.objects.get()
    assert (user.username, user.get_full_name()) == ("mara", "Mara Koch")
    assert groups(user) == ["github:limelight", "github:limelight/payments"]
    assert AuditEvent.objects.get(action="signin").data["how"] == "github"


def test_many_teams_come_in_pages(client, github):
    github.page, github.teams = 2, [("limelight", f"t{n}") for n in range(5)]
    come_in(client)
    assert len(groups(User.objects.get())) == 6


def test_a_stranger_is_not_let_in_and_leaves_no_account(client, github):
    github.organisations, github.teams = ["elsewhere"], []
    assert come_in(client)["Location"] == "/signin/failed/"
    assert "GitHub did not sign you in" in client.get("/signin/failed/").content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["/api/v3/user/teams", "/api/v3/user/memberships/orgs"])
def test_without_all_groups_nobody_is_signed_in_and_nothing_changes(client, github, path):
    come_in(client)
    github.answers[path] = 503
    assert come_in(Client())["Location"] == "/signin/failed/"
    assert len(groups(User.objects.get())) == 2


def test_an_address_leads_into_nobodys_account(client, github):
    User.objects.create_user("boss", email="mara@example.com", is_superuser=True)
    come_in(client)
    assert client.get("/account/").wsgi_request.user.username == "mara"


def test_who_left_the_organisation_loses_groups_and_session_at_the_renewal(client, github):
    come_in(client)
    session = client.session
    session[DOOR_KEY] = {"provider": "github", "until": 0}
    session.save()
    assert client.get("/teams/")["Location"] == f"{GITHUB}?next=%2Fteams%2F"
    github.organisations, github.teams = [], []
    come_in(client)
    assert "_auth_user_id" not in client.session
    assert groups(User.objects.get()) == []


def test_a_stale_session_posts_nothing_and_is_renewed_without_a_question(client, github):
    come_in(client)
    session = client.session
    session[DOOR_KEY] = {"provider": "github", "until": 0}
    session.save()
    assert client.post("/account/tokens/new/").status_code == 302
    assert come_in(client)["Location"] == "/teams/"
    assert client.get("/account/").status_code == 200


def test_bitbucket_gives_its_workspaces(client, bitbucket):
    come_in(client, BITBUCKET)
    assert groups(User.objects.get()) == ["bitbucket:limelight"]
    assert any("/2.0/user/workspaces Bearer gho_secret" in line for line in bitbucket.asked)


def test_the_token_of_the_sign_in_is_not_kept(client, github):
    come_in(client)
    identity = Identity.objects.get()
    assert "gho_secret" not in str(identity.claims)
    assert "gho_secret" not in str(dict(client.session))


def test_a_state_that_was_not_ours_signs_nobody_in(client, github):
    assert client.get(f"{GITHUB}callback/", {"code": "c", "state": "x"}).status_code == 400
    assert "_auth_user_id" not in client.session


class TestLinking:
    """An account of GitHub beside the company's."""

    @pytest.fixture
    def ana(self, client: Client, settings: Any) -> User:
        settings.SOCIAL_SIGNIN = False
        user = User.objects.create_user("ana")
        Identity.objects.create(issuer="https://idp.example", subject="ana", user=user)
        client.force_login(user)
        session = client.session
        session[AT_KEY] = time.time()
        session.save()
        return user

    def test_account_link_adds_the_account_and_its_groups(self, client, github, ana):
        page = client.post("/account/link/github/")
        assert page["Refresh"].endswith("/accounts/github/login/?process=connect")
        come_in(client, query="?process=connect")
        assert groups(ana) == ["github:limelight", "github:limelight/payments"]
        assert AuditEvent.objects.get(action="identity.link").actor == "ana"
        assert User.objects.count() == 1

    @pytest.mark.parametrize("alone", [True, False])
    def test_account_link_again_confirms_groups_that_aged(
        self, client, github, ana, settings, alone
    ):
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        settings.SOCIAL_SIGNIN = alone
        linked = Identity.objects.filter(subject="4711")
        linked.update(confirmed_at=timezone.now() - timedelta(days=90))
        page = client.get("/account/").content.decode()
        assert "Choose Link again beside GitHub on your account page." in page
        assert page.count('action="/account/link/github/"') == 1
        assert "Link again</button>" in page
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        assert "Link again beside" not in client.get("/account/").content.decode()
        assert Identity.objects.filter(user=ana).count() == 2

    def test_account_link_is_asked_for_by_a_form_only(self, client, github, ana):
        assert client.get("/account/link/github/").status_code == 405
        come_in(client, query="?process=connect")
        assert groups(ana) == []

    def test_somebody_elses_account_is_not_taken_over(self, client, github, ana, settings):
        settings.SOCIAL_SIGNIN = True
        come_in(Client())
        client.post("/account/link/github/")
        assert come_in(client, query="?process=connect")["Location"] == "/signin/failed/"
        assert groups(ana) == []

    def test_account_unlink_takes_the_groups_away(self, client, github, ana):
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        pk = Identity.objects.get(subject="4711").pk
        client.post(f"/account/unlink/{pk}/")
        assert groups(ana) == []
        assert AuditEvent.objects.filter(action="identity.unlink").exists()

    def test_account_link_and_unlink_are_told_by_mail(
        self,
        client,
        github,
        ana,
        *,
        eager,
        settings,
        mailoutbox,
        django_capture_on_commit_callbacks,
    ):
        settings.EMAIL_HOST = "mail.example"
        ana.email = "ana@example.com"
        ana.save()
        with django_capture_on_commit_callbacks(execute=True):
            client.post("/account/link/github/")
            come_in(client, query="?process=connect")
            client.post(f"/account/unlink/{Identity.objects.get(subject='4711').pk}/")
        assert [mail.subject for mail in mailoutbox] == [
            "An account of GitHub was linked to your account",
            "An account of GitHub was unlinked from your account",
        ]
        assert mailoutbox[0].to == ["ana@example.com"]
        assert "tell an administrator" in mailoutbox[0].body

    def test_account_link_says_how_long_it_has_been_there(self, client, github, ana):
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        page = " ".join(client.get("/account/").content.decode().split())
        assert "linked <time" in page

    def test_account_unlink_leaves_the_last_and_the_companys_account(self, client, github, ana):
        company = Identity.objects.get(subject="ana").pk
        client.post(f"/account/unlink/{company}/")
        assert Identity.objects.filter(user=ana).count() == 1

    def test_account_unlink_is_for_ones_own_accounts(self, client, github, ana, settings):
        settings.SOCIAL_SIGNIN = True
        come_in(Client())
        other = Identity.objects.get(subject="4711").pk
        assert client.post(f"/account/unlink/{other}/").status_code == 404

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_linked_account_is_no_way_past_the_companys_provider(
        self, client, github, ana, settings, alone
    ):
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        settings.SOCIAL_SIGNIN = alone
        other = Client()
        assert come_in(other)["Location"] == "/signin/failed/"
        assert "_auth_user_id" not in other.session
        assert "company account" in other.get("/signin/failed/").content.decode()

    def test_account_unlink_makes_no_second_person_of_one(self, client, github, ana, settings):
        client.post("/account/link/github/")
        come_in(client, query="?process=connect")
        settings.SOCIAL_SIGNIN = True
        client.post(f"/account/unlink/{Identity.objects.get(subject='4711').pk}/")
        assert Identity.objects.filter(user=ana, subject="4711").exists()

    def test_account_link_is_not_for_local_accounts(self, client, github):
        root = User.objects.create_superuser("root")
        client.force_login(root)
        assert client.post("/account/link/github/").status_code == 404
        assert "Link a GitHub account" not in client.get("/account/").content.decode()
        session = client.session
        session[LINK_KEY] = {"provider": "github", "until": time.time() + 60}
        session.save()
        come_in(client, query="?process=connect")
        root.refresh_from_db()
        assert (root.is_superuser, root.identities.count()) == (True, 0)


def test_where_the_company_has_a_provider_nobody_comes_in_by_github_alone(client, github, settings):
    settings.SOCIAL_SIGNIN = False
    assert "Continue with GitHub" not in client.get("/signin/").content.decode()
    assert come_in(client)["Location"] == "/signin/failed/"
    assert not User.objects.exists()


def test_another_process_than_ours_changes_nothing(client, github):
    come_in(client, query="?process=redirect&next=/teams/")
    assert not User.objects.exists()


def test_a_door_that_is_closed_has_no_address():
    assert door_urls([]) == []
    assert len(door_urls(["github"])) == 1
