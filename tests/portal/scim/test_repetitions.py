"""What directories repeat at each of their runs costs next to nothing."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db


def test_who_has_left_already_is_searched_for_no_more(directory, settings):
    settings.SCIM_SUBJECT_CLAIM = "preferred_username"
    leave = {"op": "replace", "value": {"active": False}}
    pk = directory.add("ana")["id"]
    directory.patch(f"Users/{pk}", leave)
    with CaptureQueriesContext(connection) as asked:
        assert directory.patch(f"Users/{pk}", leave).status_code == 200
    assert not [query for query in asked if "claims" in query["sql"]]
