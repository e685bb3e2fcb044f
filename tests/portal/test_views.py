"""Home, health, and the pages that stand where a page can't."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.urls import path

from portal import urls, views
from portal.guard import Denied
from portal.health import touch
from portal.hooks import page_panels
from portal.policy import Decision, Effect


@pytest.fixture
def viewer(client, db):
    client.force_login(User.objects.create_user("vic", first_name="Vic", last_name="Viewer"))
    return client


# --- Home ------------------------------------------------------------------------------------
def test_home_needs_a_sign_in(client, db):
    assert client.get("/")["Location"].startswith("/signin/")


def test_home_shows_what_needs_me_before_my_teams(viewer):
    def both(place, request, objects):
        return {user.pk: f"[{place} {user.username}]" for user in objects}

    page_panels.register(both)
    try:
        text = viewer.get("/").content.decode()
    finally:
        page_panels._functions.remove(both)
    assert text.index("[home vic]") < text.index("[home_teams vic]")


def test_the_current_section_is_marked(viewer):
    assert '<a href="/" aria-current="page">Home</a>' in viewer.get("/").content.decode()
    text = viewer.get("/teams/").content.decode()
    assert '<a href="/teams/" aria-current="page">Teams</a>' in text
    assert '<a href="/" aria-current' not in text


def test_the_page_forbids_inline_code_and_takes_its_own_only(viewer):
    response = viewer.get("/")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "nonce" not in policy
    assert b'"allowEval": false' in response.content
    assert b"django_htmx/htmx-2" in response.content


def test_after_a_sign_out_back_shows_no_page_of_before(viewer):
    for page in ("/", "/catalog/", "/account/", "/there-is-none/"):
        assert "no-store" in viewer.get(page)["Cache-Control"]


def test_the_search_field_asks_for_everything(viewer):
    text = viewer.get("/").content.decode()
    form = text[text.index('<form class="bar__search"') :]
    form = form[: form.index("</form>")]
    assert 'action="/search/"' in form
    assert 'type="hidden"' not in form


# --- Health ----------------------------------------------------------------------------------
def test_healthz_names_what_does_not_run(client, db):
    response = client.get("/healthz")
    body = response.json()
    assert (response.status_code, body["ok"]) == (503, False)
    found = {check["name"]: check["ok"] for check in body["checks"]}
    assert found["database"] is True
    assert found["beat"] is False
    assert "no-cache" in response["Cache-Control"]


def test_healthz_is_well_when_everything_runs(client, db):
    for process in ("beat", "worker", "tick"):
        touch(process)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["ok"]) == (200, True)


# --- Errors ----------------------------------------------------------------------------------
def refused(request):
    raise Denied(Decision(Effect.DENY, "scope", "You may not do this here.", ("Payments leads",)))


def forbidden(request):
    raise PermissionDenied("This is for administrators.")


def missing(request):
    raise Http404("No such thing as a free lunch.")


def broken(request):
    raise RuntimeError("the secret is tuna")


urlpatterns = [
    *urls.urlpatterns,
    path("test/refused/", refused),
    path("test/forbidden/", forbidden),
    path("test/missing/", missing),
    path("test/broken/", broken),
]
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.page_not_found"
handler500 = "portal.views.server_error"


@pytest.mark.urls(__name__)
def test_a_refusal_says_the_rule_and_who_can_help(viewer):
    response = viewer.get("/test/refused/")
    text = response.content.decode()
    assert response.status_code == 403
    assert "You may not do this here." in text
    assert "Who can help: Payments leads." in text
    assert '<dd class="mono">scope</dd>' in text


@pytest.mark.urls(__name__)
def test_a_sentence_of_our_own_is_shown(viewer):
    response = viewer.get("/test/forbidden/")
    assert response.status_code == 403
    assert "This is for administrators." in response.content.decode()
    response = viewer.get("/test/missing/")
    assert response.status_code == 404
    assert "No such thing as a free lunch." in response.content.decode()


def test_an_address_that_nothing_has_is_not_found(viewer):
    response = viewer.get("/nowhere/")
    assert response.status_code == 404
    assert "Nothing stands at this address." in response.content.decode()


@pytest.mark.urls(__name__)
def test_an_error_gives_the_request_id_and_no_inside(viewer):
    viewer.raise_request_exception = False
    response = viewer.get("/test/broken/")
    text = response.content.decode()
    assert response.status_code == 500
    assert response["X-Request-ID"] in text
    assert "tuna" not in text


def test_an_error_page_needs_no_database(rf, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert views.server_error(rf.get("/")).status_code == 500


def test_a_form_whose_token_is_gone_says_what_to_do(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("vic"))
    response = client.post("/signout/")
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
