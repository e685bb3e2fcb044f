"""Who is let in, what is taken, and how errors are said."""

import pytest

from portal.models import Delivery, ScimUser
from portal.process_cache import notes
from portal.scim import protocol
from tests.portal.scim.directory import GROUP, USER, Directory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("token", ["", "another", "a-token-of-the-directory-under-tes", "ü"])
def test_a_stranger_is_refused_and_noted_without_the_token(directory, token):
    answer = Directory(token).call("GET", "Users")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["status"] == "401"
    assert Delivery.objects.get().reason == "The token is missing or another."
    assert Directory(token).call("POST", "Users", {"userName": "x"}).status_code == 401


def test_without_a_token_in_the_settings_there_is_no_scim(settings):
    settings.SCIM_TOKEN = ""
    assert Directory("").call("GET", "Users").status_code == 404
    assert Directory("x").call("GET", "ServiceProviderConfig").status_code == 404


def test_a_flood_is_told_to_wait(directory, monkeypatch):
    monkeypatch.setattr(protocol, "PER_MINUTE", 3)
    notes.clear()
    answers = [directory.call("GET", "ServiceProviderConfig") for _ in range(5)]
    assert {answer.status_code for answer in answers[3:]} == {429}
    assert answers[4]["Retry-After"] == "60"
    assert answers[4]["Content-Type"] == "application/scim+json"


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"", "invalidSyntax"),
        (b"[]", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        (b"\xff", "invalidSyntax"),
        (b"[" * 100_000, "invalidSyntax"),
        (b'{"userName": NaN}', "invalidSyntax"),
        (b'{"schemas": ["%s"]}' % USER.encode(), "invalidValue"),
        (b'{"schemas": ["%s"], "userName": "a\\u0000"}' % USER.encode(), "invalidValue"),
        (b'{"schemas": ["%s"], "userName": "\\ud800"}' % USER.encode(), "invalidValue"),
        (b'{"schemas": ["%s"], "userName": ["a"]}' % USER.encode(), "invalidValue"),
        (b'{"schemas": ["%s"], "userName": "%s"}' % (USER.encode(), b"x" * 300), "invalidValue"),
    ],
)
def test_what_can_not_be_taken_is_said_in_the_terms_of_scim(directory, body, scim_type):
    answer = directory.call("POST", "Users", body)
    assert (answer.status_code, answer.json()["scimType"]) == (400, scim_type), answer.content
    assert answer.json()["detail"]
    assert not ScimUser.objects.exists()


def test_too_much_is_refused_unread(directory):
    assert directory.call("POST", "Users", b" " * 1_000_001).status_code == 413


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "id", "value": "9"},
        {"op": "replace", "path": "nonsense[", "value": "9"},
        {"op": "explode", "path": "active", "value": "9"},
        {"op": "replace", "path": "active", "value": "perhaps"},
        {"op": "replace", "path": "name", "value": "Ana"},
        {"op": "remove"},
        {"op": "remove", "path": "userName"},
        {"op": "replace", "path": "userName", "value": ""},
        {"op": "add", "path": "emails", "value": {"value": {"a": []}}},
        {"op": 7},
        {},
    ],
)
def test_a_patch_that_makes_no_sense_changes_nothing(directory, operation):
    before = directory.add("ana", name={"givenName": "Ana"})
    good = {"op": "replace", "path": "displayName", "value": "x"}
    answer = directory.patch(f"Users/{before['id']}", good, operation)
    assert answer.status_code == 400, answer.content
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    after = directory.call("GET", f"Users/{before['id']}").json()
    assert after == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "Users/0", 404), ("GET", "Users/x", 404), ("GET", f"Users/{'9' * 40}", 404),
        ("PATCH", "Groups/7", 404), ("GET", "Schemas/none", 404), ("GET", "Nothing", 404),
        ("GET", "", 404), ("DELETE", "Users", 405), ("POST", "Schemas", 405), ("POST", "Bulk", 501),
        ("POST", "Users/.search", 501),
    ],
)  # fmt: skip
def test_an_address_without_an_answer_says_so(directory, method, path, status):
    answer = directory.call(method, path, {"a": "b"} if method != "GET" else None)
    assert answer.status_code == status
    assert answer.json()["status"] == str(status)


def test_the_service_says_what_it_does(directory):
    config = directory.call("GET", "ServiceProviderConfig").json()
    assert config["patch"]["supported"] is True
    for lacking in ("bulk", "sort", "etag", "changePassword"):
        assert config[lacking]["supported"] is False
    assert config["filter"] == {"supported": True, "maxResults": 200}
    assert directory.call("GET", f"Schemas/{GROUP}").json()["name"] == "Group"
    types = directory.call("GET", "ResourceTypes").json()["Resources"]
    assert [item["endpoint"] for item in types] == ["/Users", "/Groups"]
