"""What every call of the API has in common."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from portal.api_errors import ApiError
from portal.api_tokens import create
from portal.api_views import api
from portal.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def bearer():
    user = User.objects.create_user("ana")
    end = timezone.now() + timedelta(days=1)
    _, token = create(user, "t", ["catalog.view"], end, RequestFactory().get("/"))
    return f"Bearer {token}"


def ask(view, bearer="", method="GET", **names):
    request = RequestFactory().generic(method, "/api/x?a=b", HTTP_AUTHORIZATION=bearer)
    return view(request, **names)


def error(response):
    return response.status_code, response.headers, response.json()["error"]


def answer(request, caller, **names):
    return HttpResponse(caller.actor.name)


def raising(problem):
    def fail(request, caller, **names):
        raise problem

    return api(GET=fail, POST=fail)


@pytest.fixture(autouse=True)
def responses_have_json(monkeypatch):
    """As the test client's have."""
    monkeypatch.setattr(HttpResponse, "json", lambda r: json.loads(r.content), raising=False)


def test_it_needs_a_token_and_says_how(bearer):
    response = ask(api(GET=answer))
    status, headers, problem = error(response)
    assert (status, problem["name"]) == (401, "AuthenticationError")
    assert headers["WWW-Authenticate"] == 'Bearer realm="Stagedoor"'
    assert response.json()["request"] == {"method": "GET", "url": "/api/x?a=b"}
    assert response.json()["response"] == {"statusCode": 401}
    assert ask(api(GET=answer), bearer).content == b"ana"
    assert ApiToken.objects.get().last_used_at


def test_a_session_opens_nothing(client):
    client.force_login(User.objects.create_superuser("lena"))
    assert client.get("/api/nothing").status_code == 401


def test_a_method_that_is_not_understood_says_which_are(bearer):
    status, headers, _ = error(ask(api(GET=answer, POST=answer), bearer, "PATCH"))
    assert (status, headers["Allow"]) == (405, "GET, POST")
    assert ask(api(GET=answer), bearer, "HEAD").status_code == 200


@pytest.mark.parametrize(
    ("problem", "status", "name"),
    [
        (ApiError(404, "No."), 404, "NotFoundError"),
        (ApiError(409, "No."), 409, "ConflictError"),
        (ValueError("secret"), 500, "Error"),
        (OperationalError("secret"), 503, "ServiceUnavailableError"),
    ],
)
def test_every_problem_is_json_and_tells_nothing_of_the_inside(bearer, problem, status, name):
    response = ask(raising(problem), bearer, "POST")
    assert error(response)[0] == status
    assert error(response)[2]["name"] == name
    assert "secret" not in response.content.decode()


def test_what_is_nowhere_is_json_too(client, bearer):
    for method in ("get", "post", "put", "delete"):
        response = getattr(client, method)("/api/nowhere", HTTP_AUTHORIZATION=bearer)
        assert error(response)[2]["name"] == "NotFoundError"
