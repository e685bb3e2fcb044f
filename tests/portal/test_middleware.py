"""Every request has an id of our own making, in the answer and in each line of the log."""

import asyncio
import logging
import re
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from portal.middleware import (
    PathSecretMiddleware,
    RequestIdFilter,
    RequestIdMiddleware,
    current_request_id,
)
from portal.models import AuditEvent

logger = logging.getLogger("test")


def view(request):
    record = logging.LogRecord("test", logging.INFO, __file__, 1, "x", None, None)
    RequestIdFilter().filter(record)
    return HttpResponse(f"{request.request_id} {record.request_id}")


async def async_view(request):
    await asyncio.sleep(0)
    return view(request)


def test_the_id_is_the_same_in_the_answer_the_view_and_the_log():
    response = RequestIdMiddleware(view)(RequestFactory().get("/"))
    seen, logged = response.content.decode().split()
    assert seen == logged == response["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", seen)


def test_an_id_from_outside_is_not_taken_over():
    request = RequestFactory().get("/", headers={"X-Request-ID": "chosen-by-the-caller"})
    assert "chosen" not in RequestIdMiddleware(view)(request)["X-Request-ID"]


def test_after_the_request_the_log_names_none():
    RequestIdMiddleware(view)(RequestFactory().get("/"))
    assert current_request_id.get() == "-"


def test_requests_at_the_same_time_keep_their_own_ids():
    middleware = RequestIdMiddleware(async_view)

    async def both():
        requests = [RequestFactory().get("/") for _ in range(5)]
        return await asyncio.gather(*(middleware(request) for request in requests))

    pairs = [response.content.decode().split() for response in asyncio.run(both())]
    assert all(seen == logged for seen, logged in pairs)
    assert len({seen for seen, _ in pairs}) == 5


@pytest.mark.django_db
def test_under_asgi_too():
    response = asyncio.run(AsyncClient().get("/healthz"))
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/hooks/drone/", ""),
        ("/hooks/drone", ""),
        ("/hooks/drone/s3cret/", "s3cret"),
        ("/hooks/drone/s3cret", "s3cret"),
        ("/hooks/drone/s3/cr/et/", "s3/cr/et"),
        ("/Hooks/drone/s3cret/", "s3cret"),
        ("//hooks//drone/s3%0Acret/", "s3\ncret"),
    ],
)
def test_the_secret_in_a_webhooks_address_is_known_to_the_view_only(path, secret):
    request = RequestFactory().post("/" + path)
    request.path = request.path_info = request.META["PATH_INFO"] = unquote(path)
    PathSecretMiddleware(HttpResponse).process_request(request)
    assert request.path_secret == secret
    assert request.path == request.path_info == request.META["PATH_INFO"] == "/hooks/drone/"
    assert request.get_full_path() == "/hooks/drone/"


def test_a_receiver_of_the_catalog_has_two_parts():
    for path, secret in (("/hooks/catalog/acme/", ""), ("/hooks/catalog/acme/s3cret/", "s3cret")):
        request = RequestFactory().post(path)
        PathSecretMiddleware(HttpResponse).process_request(request)
        assert (request.path, request.path_secret) == ("/hooks/catalog/acme/", secret)


def test_other_addresses_stay_as_they_are():
    request = RequestFactory().get("/catalog/hooks/drone/s3cret/")
    PathSecretMiddleware(HttpResponse).process_request(request)
    assert request.path == "/catalog/hooks/drone/s3cret/"
    assert not hasattr(request, "path_secret")


def test_a_portal_below_a_prefix_keeps_it():
    request = RequestFactory(SCRIPT_NAME="/portal").post("/hooks/drone/s3cret/")
    PathSecretMiddleware(HttpResponse).process_request(request)
    assert request.path == "/portal/hooks/drone/"
    assert request.path_secret == "s3cret"


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),  # the left one is the visitor's own word
        (2, "10.9.9.9,203.0.113.9 ,10.0.0.1", "203.0.113.9"),
        (1, "2001:db8::9", "2001:db8::9"),
        (1, "", "127.0.0.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
        (1, "203.0.113.9\x00", "127.0.0.1"),
    ],
)
def test_behind_proxies_visitors_have_their_own_addresses(settings, proxies, told, address):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-For": told})
    RequestIdMiddleware(view)(request)
    assert request.META["REMOTE_ADDR"] == address


@pytest.mark.django_db
def test_a_strangers_guesses_behind_a_proxy_shut_nobody_else_out(client, settings):
    settings.TRUSTED_PROXIES = 1
    User.objects.create_superuser("root", password="right-password-1")
    for number in range(31):
        form = {"login": f"nobody{number}", "password": "x"}
        client.post("/accounts/login/", form, headers={"X-Forwarded-For": "203.0.113.9"})
    form = {"login": "root", "password": "right-password-1"}
    refused = client.post("/accounts/login/", form, headers={"X-Forwarded-For": "203.0.113.9"})
    assert refused.status_code == 429
    answer = client.post("/accounts/login/", form, headers={"X-Forwarded-For": "203.0.113.8"})
    assert answer["Location"] == "/"
    events = AuditEvent.objects.filter(action="signin.failed")
    assert set(events.values_list("ip", flat=True)) == {"203.0.113.9"}
