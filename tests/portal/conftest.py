"""Fixtures of the portal's tests: a provider that the portal signs in against."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.portal.oidc.provider import Provider, configured_provider


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """A provider of its own for each test, and the portal set up for it."""
    with configured_provider(settings) as running:
        yield running
