"""What the tests of the catalog's API share: a token, and asking with it."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from django.utils import timezone

from portal.api_tokens import create
from portal.models import Role, RoleMapping
from portal.policy import PERMISSIONS

REQUEST = RequestFactory().get("/")


class Api:
    """Asks as one person, and gives back what the JSON says."""

    def __init__(self, user, permissions=tuple(PERMISSIONS)):
        end = timezone.now() + timedelta(days=1)
        _, self.token = create(user, "a test", permissions, end, REQUEST)
        self._client = Client()

    def ask(self, method, path, body=None, **headers):
        data = json.dumps(body) if isinstance(body, dict | list) else body or ""
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.token}", **headers}
        address = path if path.startswith("/api") else f"/api/catalog{path}"
        return self._client.generic(method, address, data, "application/json", **headers)

    def get(self, path, status=200):
        return self._json(self.ask("GET", path), status)

    def post(self, path, body, status=200):
        return self._json(self.ask("POST", path, body), status)

    def names(self, path):
        """The names that a list or a page holds."""
        return names(self.get(path))

    def problem(self, path, status, method="GET", body=None):
        """The message of an error in Backstage's form."""
        response = self.ask(method, path, body)
        found = self._json(response, status)
        assert found["response"] == {"statusCode": status}
        assert found["request"]["method"] == method
        return found["error"]["message"]

    @staticmethod
    def _json(response, status):
        assert response.status_code == status, response.getvalue()[:500]
        assert response["Content-Type"].startswith("application/json")
        return json.loads(response.getvalue())


def names(found):
    items = found["items"] if isinstance(found, dict) else found
    return [item["metadata"]["name"] for item in items]


def person(name, group="", role="admin", **scope):
    """With a role by a group, in a scope or everywhere."""
    user = User.objects.create_user(name)
    if group:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
        RoleMapping.objects.create(group=group, role=Role.objects.get(slug=role), **scope)
    return user


@pytest.fixture
def api(db):
    """What everybody signed in may do."""
    return Api(person("vic"))


@pytest.fixture
def admin(db):
    """May register sources and have them read."""
    return Api(person("lena", "idp:admins"))
