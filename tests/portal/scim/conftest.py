"""SCIM switched on, and a directory that calls it."""

from typing import Any

import pytest

from tests.portal.scim.directory import TOKEN, Directory


@pytest.fixture(autouse=True)
def _addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.portal.scim.urls"


@pytest.fixture
def directory(settings: Any) -> Directory:
    settings.SCIM_TOKEN = TOKEN
    return Directory()
