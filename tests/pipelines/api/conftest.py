"""What the tests of the API of builds share: a service whose builds really run, and tokens."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from pipelines.models import PipelineLink
from portal.api_tokens import create
from portal.policy import PEOPLE_ONLY, PERMISSIONS
from tests.pipelines.four_eyes import COMMIT, make_link
from tests.pipelines.world import make_person

ALL = tuple(sorted(set(PERMISSIONS) - PEOPLE_ONLY))
BASE = "/api/pipelines"


class Api:
    """Asks by a token, and gives back what the JSON says."""

    def __init__(self, user: User, permissions: tuple[str, ...] = ALL, agent: str = "Claude"):
        end = timezone.now() + timedelta(days=1)
        page = RequestFactory().get("/")
        self.row, self.secret = create(user, "robot", permissions, end, page, agent=agent)
        self._client = Client()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = (
            body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else ""
        )
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.secret}", **headers}
        return self._client.generic(method, BASE + path, data, "application/json", **headers)

    def get(self, path: str, status: int = 200) -> Any:
        return read(self.ask("GET", path), status)

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        return read(self.ask("POST", path, body, **headers), status)

    def trigger(self, body: Any, status: int = 201, key: Any = None, **headers: str) -> Any:
        key = uuid.uuid4() if key is None else key
        return self.post("/triggers", body, status, HTTP_IDEMPOTENCY_KEY=str(key), **headers)


def read(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content[:800]
    found = json.loads(response.content)
    return found["error"] if status >= 400 else found


def start(**fields: Any) -> dict[str, Any]:
    about = {"entity": "component:default/shop", "pipeline": "buildkite:acme/shop"}
    return {**about, "action": "start", "commit": COMMIT, **fields}


@pytest.fixture
def link(sandbox: Any, server_at: Any) -> PipelineLink:
    return make_link(sandbox, server_at)


@pytest.fixture
def ana(db: None) -> User:
    return make_person("ana", "deployer")


@pytest.fixture
def api(ana: User, link: PipelineLink) -> Api:
    """Ana's agent, with all that an agent can be given."""
    return Api(ana)
