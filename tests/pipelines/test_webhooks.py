"""A webhook is believed only when it is signed; it is kept once, and refused with a reason."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from celery import current_app
from django.urls import reverse
from django.utils import timezone

from pipelines import hook_views, webhooks
from pipelines.models import Server
from pipelines.server_form import ServerForm
from portal.models import Delivery
from tests.pipelines.bell import BUILD, SECRET, SECRET_REF, SHOP, delivery, only, post, ring
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bell(monkeypatch):
    ring(monkeypatch)


@pytest.fixture
def server():
    return make_server("bell", "bell", webhook_secret_ref=SECRET_REF)


@pytest.fixture
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


# --- What is believed ------------------------------------------------------------------------
def test_hook_receive_keeps_what_is_signed_and_answers_at_once(server):
    answer = post(*delivery(BUILD))
    assert answer.status_code == 202
    assert (only().receiver, only().delivery_id, only().status) == (
        "pipelines:bell",
        "one",
        "waiting",
    )


def test_hook_receive_needs_no_session_and_makes_none(server, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        answer = post(*delivery(BUILD))
    assert not answer.cookies
    assert "Set-Cookie" not in answer.headers


def test_a_repetition_is_answered_like_the_first_and_read_once(server, at_once):
    first, again = post(*delivery(BUILD)), post(*delivery(BUILD))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    "reference",
    ["BELL", "NEW,env:STAGEDOOR_CREDENTIAL_BELL", "GONE, env:STAGEDOOR_CREDENTIAL_BELL"],
)
def test_while_one_secret_replaces_another_either_will_do(server, reference):
    Server.objects.update(webhook_secret_ref=f"env:STAGEDOOR_CREDENTIAL_{reference}")
    assert post(*delivery(BUILD)).status_code == 202


def test_one_delivery_many_times_at_once_is_kept_once(server, live_server):
    body, headers = delivery(BUILD)
    url = f"{live_server.url}/hooks/bell/"
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: requests.post(url, body, headers=headers, timeout=30), range(24)
        )
        assert {answer.status_code for answer in answers} == {202}
    assert Delivery.objects.count() == 1


# --- What is not -----------------------------------------------------------------------------
def refused(answer):
    """Every refusal looks the same to a stranger; the reason is for administrators."""
    assert (answer.status_code, answer.content.decode()) == (403, hook_views.REFUSED)
    assert Delivery.objects.filter(status="refused").count() == Delivery.objects.count() == 1
    return only().receiver, only().reason


def test_a_wrong_signature_is_refused(server):
    body, headers = delivery(BUILD, secret="guessed")
    assert refused(post(body, headers)) == ("pipelines:bell", "Its signature is wrong.")


def test_a_changed_body_is_refused(server):
    body, headers = delivery(BUILD)
    assert refused(post(body.replace(b"shop", b"shot"), headers))[1] == "Its signature is wrong."


def test_a_missing_header_is_refused(server):
    assert refused(post(b"{}"))[1] == "It is not signed."


def test_an_old_delivery_is_refused(server):
    assert refused(post(*delivery(BUILD, age=301)))[1] == "It is older than five minutes."


def test_the_secret_of_another_server_is_refused(server):
    make_server("other", "bell", webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_NEW")
    assert refused(post(*delivery(BUILD), path="/hooks/other/"))[0] == "pipelines:other"


def test_without_a_secret_nothing_is_believed_whatever_the_adapter_says(server):
    """This adapter lets pass what it has nothing to compare with."""
    Server.objects.update(webhook_secret_ref="")
    assert refused(post(*delivery(BUILD)))[1] == webhooks.NO_SECRET


def test_a_secret_that_can_not_be_read_is_told_to_administrators_by_its_reference(server):
    Server.objects.update(webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_GONE")
    assert "STAGEDOOR_CREDENTIAL_GONE" in refused(post(*delivery(BUILD)))[1]


def test_unknown_and_disabled_servers_are_refused_alike(server):
    Server.objects.update(enabled=False)
    for path in ("/hooks/bell/", "/hooks/nobody/", "/hooks/a%00b/", "/hooks/ü/", "/hooks/bell/x/"):
        assert refused(post(*delivery(BUILD), path=path))[0] == webhooks.NOBODY


def test_an_unknown_server_costs_what_a_refusal_costs(server, django_assert_num_queries):
    for path in ("/hooks/bell/", "/hooks/nobody/"):
        post(b"{}", path=path)
        with django_assert_num_queries(2):
            post(b"{}", path=path)


def test_a_provider_without_webhooks_refuses(server):
    Server.objects.update(provider="gone")
    assert refused(post(*delivery(BUILD)))[1] == "The provider of this server is not known."


def test_an_adapter_that_fails_refuses_and_quotes_nothing(server, caplog):
    body, headers = delivery(body=b"private words")
    reason = refused(post(body, {**headers, "X-Bell-Explode": "1"}))[1]
    assert reason == "Stagedoor failed to check it."
    assert "ValueError" in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_hook_receive_takes_nothing_but_posts(server, method):
    assert post(*delivery(BUILD), method=method).status_code == 405
    assert not Delivery.objects.exists()


def test_a_body_over_the_limit_is_refused_and_noted(server):
    answer = post(*delivery(body=b"x" * 1_000_001))
    assert answer.status_code == 413
    assert (only().status, only().size) == ("refused", 1_000_001)


# --- Odd deliveries --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe{",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"hints": 7}',
        b'{"hints": [{}]}',
        b"null",
    ],
    ids=["empty", "not UTF-8", "deep", "no list", "no event", "null"],
)
def test_what_can_not_be_read_is_put_aside_with_a_reason(server, at_once, body):
    assert post(*delivery(body=body)).status_code == 202
    assert only().status == "ignored"
    assert only().reason in ("It is not JSON.", "Stagedoor failed to read it.")


def test_a_delivery_without_hints_is_of_no_interest(server, at_once):
    post(*delivery())
    assert (only().status, only().reason) == ("ignored", "")


def test_names_that_no_database_can_hold_match_nothing(server, at_once):
    pipeline = make_pipeline(server, SHOP)
    odd = ["a\x00b", "\ud800", "'; DROP TABLE", "%", "x" * 10_000, "", SHOP]
    post(*delivery({"event": "build\x00", "pipelines": odd}))
    pipeline.refresh_from_db()
    assert (only().status, only().event) == ("done", "build")
    assert pipeline.hook_seen_at is not None


def test_a_delivery_id_of_ten_thousand_characters_is_kept_once(server):
    for _ in range(2):
        assert post(*delivery(BUILD, name="x" * 10_000)).status_code == 202
    assert Delivery.objects.count() == 1


def test_a_secret_in_the_address_shows_nowhere(server, caplog):
    """Not in the log, not in the answer, not in what is kept, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    for path in (
        "/hooks/bell/pa55/",
        "/hooks/bell/pa55",
        "/hooks/nobody/pa55/",
        "/hooks/bell/pa55/more",
    ):
        for method in ("POST", "GET"):
            answer = post(*delivery(BUILD, secret="wrong"), path=path, method=method)
            assert b"pa55" not in answer.content
            assert "pa55" not in str(answer.headers)
    assert "pa55" not in caplog.text
    assert "/hooks/bell/" in caplog.text
    assert not any("pa55" in str(row.__dict__) for row in Delivery.objects.all())


# --- The vendor's key ------------------------------------------------------------------------
def test_a_key_that_may_have_changed_is_asked_for_again_but_seldom(server):
    now, later = timezone.now(), timezone.now() + timedelta(hours=1)
    Server.objects.update(checked_at=now - timedelta(minutes=11), check_due_at=later)
    post(b"{}", {"X-Bell-Key": "new"})
    assert Server.objects.get().check_due_at <= timezone.now()
    Server.objects.update(checked_at=now, check_due_at=later)
    post(b"{}", {"X-Bell-Key": "new"})
    assert Server.objects.get().check_due_at == later


# --- For administrators ----------------------------------------------------------------------
def server_page(client, server):
    return client.get(reverse("admin:pipelines_server_change", args=[server.pk])).content.decode()


def test_the_server_page_shows_the_address_and_the_newest_deliveries(
    client, admin_user, server, at_once
):
    make_pipeline(server, SHOP)
    post(*delivery(BUILD))
    post(*delivery({**BUILD, "event": "<b>"}, name="two"))
    post(b"{}", path="/hooks/bell/pa55/")
    client.force_login(admin_user)
    page = server_page(client, server)
    assert "http://127.0.0.1:8000/hooks/bell/" in page
    assert "build.finished" in page
    assert "&lt;b&gt;" in page
    assert "It is not signed." in page
    assert "pa55" not in page
    assert SECRET not in page
    assert "Nothing is believed yet" not in page


def test_the_server_page_says_that_nothing_is_believed_without_a_secret(client, admin_user, server):
    Server.objects.update(webhook_secret_ref="")
    client.force_login(admin_user)
    assert "Nothing is believed yet" in server_page(client, server)
    assert (
        "Save the server first"
        in client.get(reverse("admin:pipelines_server_add")).content.decode()
    )


def test_received_webhooks_are_listed_without_what_they_held(client, admin_user, server):
    post(*delivery(BUILD))
    client.force_login(admin_user)
    page = client.get(reverse("admin:portal_delivery_change", args=[only().pk])).content.decode()
    assert "pipelines:bell" in page
    assert SHOP not in page
    assert client.get(reverse("admin:portal_delivery_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        (" env:A ", "env:A"),
        ("env:A , file:b", "env:A,file:b"),
        ("s3cret", None),
        ("env:A,s3cret", None),
        ("env:A,env:B,env:C", None),
    ],
)
def test_the_secret_is_named_and_never_given(given, kept):
    form = ServerForm({"webhook_secret_ref": given})
    form.is_valid()
    assert form.cleaned_data.get("webhook_secret_ref") == kept
    assert "s3cret" not in str(form.errors)


def test_another_credential_forgets_the_vendors_old_key(client, admin_user, server, at_once):
    Server.objects.update(hook_keys=["PEM"])
    client.force_login(admin_user)
    client.post(
        reverse("admin:pipelines_server_change", args=[server.pk]),
        {
            "name": "Bell",
            "slug": "bell",
            "provider": "bell",
            "base_url": "http://127.0.0.1:9/other",
            "credential_ref": server.credential_ref,
            "webhook_secret_ref": "",
            "options": "{}",
            "claims": "[]",
            "enabled": "on",
        },
    )
    assert (Server.objects.get().base_url[-5:], Server.objects.get().hook_keys) == ("other", [])
