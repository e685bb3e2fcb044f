"""Asking for pages in tests."""

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext


def page(client, url, status=200, **headers):
    response = client.get(url, **headers)
    assert response.status_code == status
    return response.content.decode()


def names(text):
    """The rows' names, in order."""
    return re.findall(r'class="table__title"[^>]*>([^<]+)<', text)


def queries(client, url):
    with CaptureQueriesContext(connection) as captured:
        page(client, url)
    return len(captured)
