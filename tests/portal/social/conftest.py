"""A portal that people sign in to through GitHub or Bitbucket, and the two as they answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.providers.bitbucket_oauth2.views import BitbucketOAuth2Adapter
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from celery import current_app

from portal.social import arrivals, members
from portal.social.configuration import doors, provider_settings
from tests.portal.social.forge import Forge, running


@pytest.fixture
def forge() -> Iterator[Forge]:
    with running() as forge:
        yield forge


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run where they are called."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


def configure(settings: Any, environ: dict[str, str]) -> None:
    settings.SIGNIN_DOORS = doors(environ)
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(settings.SIGNIN_DOORS, environ)
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.SOCIAL_SIGNIN = True
    settings.ROOT_URLCONF = "tests.portal.social.urls"


@pytest.fixture
def github(settings: Any, monkeypatch: Any, forge: Forge) -> Forge:
    """An Enterprise Server; the library reads its address when it is imported."""
    environ = {
        "GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "secret", "GITHUB_URL": forge.url,
        "GITHUB_ORGANISATIONS": "Limelight, spotlight",
    }  # fmt: skip
    configure(settings, environ)
    for name, path in {
        "access_token_url": "/login/oauth/access_token",
        "authorize_url": "/login/oauth/authorize",
        "profile_url": "/api/v3/user",
    }.items():
        monkeypatch.setattr(GitHubOAuth2Adapter, name, forge.url + path)
    forge.person = {"id": 4711, "login": "mara", "name": "Mara Koch", "email": "mara@example.com"}
    return forge


@pytest.fixture
def bitbucket(settings: Any, monkeypatch: Any, forge: Forge) -> Forge:
    environ = {
        "BITBUCKET_CLIENT_ID": "id", "BITBUCKET_CLIENT_SECRET": "secret",
        "BITBUCKET_WORKSPACES": "limelight",
    }  # fmt: skip
    configure(settings, environ)
    for name, path in {
        "access_token_url": "/site/oauth2/access_token",
        "authorize_url": "/site/oauth2/authorize",
        "profile_url": "/2.0/user",
    }.items():
        monkeypatch.setattr(BitbucketOAuth2Adapter, name, forge.url + path)
    for module in (arrivals, members):
        monkeypatch.setattr(module, "BITBUCKET_API", forge.url)
    forge.person = {"account_id": "557058:mara", "display_name": "Mara Koch", "username": "mara"}
    return forge
