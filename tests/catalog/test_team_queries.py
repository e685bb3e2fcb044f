"""What the pages of teams read of the catalog."""

import pytest

from catalog.models import Entity
from catalog.seen import EVERYTHING
from catalog.team_queries import members_of
from tests.catalog.trees import group, read, user

pytestmark = pytest.mark.django_db


def entity(name):
    return Entity.objects.get(name=name)


def test_members_come_by_name_with_their_source(tree, django_assert_num_queries):
    tree.write("org.yaml", group("payments"), user("zoe", "payments"), user("ana", "payments"))
    tree.write("wild.yaml", user("eve", "payments"))
    read(tree.source("org.yaml", trusted_for_org=True))
    read(tree.source("wild.yaml", slug="wild"))
    team = entity("payments")
    with django_assert_num_queries(2):
        members = members_of(team, EVERYTHING)
    assert [(m.name, m.source, m.trusted) for m in members] == [
        ("ana", "Org", True),
        ("eve", "Wild", False),
        ("zoe", "Org", True),
    ]
