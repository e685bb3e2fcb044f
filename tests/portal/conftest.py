"""Fixtures of the portal's tests: a provider that the portal signs in against."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from tests.portal.oidc.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """A provider of its own for each test, and the portal set up for it."""
    with running_provider() as running:
        cache.clear()
        settings.OIDC_OP_ISSUER = running.issuer
        settings.OIDC_RP_CLIENT_ID = CLIENT_ID
        settings.OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
        settings.OIDC_TIMEOUT = 2
        yield running
        cache.clear()
