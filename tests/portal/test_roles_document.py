"""What "Roles in ten minutes" shows is what policy reads."""

import re

import pytest
from django.conf import settings

from portal.models import Role
from portal.policy import SCOPE_KINDS, Conditions
from portal.roles import SEEDED, seed_roles
from portal.subjects import subject_problem

TEXT = (settings.BASE_DIR / "portal/docs/roles.md").read_text()


@pytest.mark.parametrize("name", ["branches", "parameters", "hours"])
def test_the_conditions_it_shows_can_be_read(name):
    (example,) = re.findall(rf"```{name}\n(.+?)```", TEXT, re.DOTALL)
    assert Conditions(**{name: example}).faults() == {}


def test_the_subjects_it_shows_are_taken():
    rows = re.findall(r"^\| (`.+?) \|", TEXT, re.MULTILINE)
    subjects = [name for row in rows for name in re.findall(r"`([a-z-]+:[^`]+)`", row)]
    assert len(subjects) > 7
    assert [name for name in subjects if subject_problem(name, [])] == []


def test_every_scope_and_seeded_role_is_told():
    assert [word for word in SCOPE_KINDS.values() if word.split()[-1] not in TEXT] == []
    assert [name for _, name, _, _ in SEEDED if f"*{name}*" not in TEXT] == []


@pytest.mark.django_db
def test_roles_that_exist_are_left_and_missing_ones_are_added():
    Role.objects.filter(slug="deployer").update(permissions=["build.start"])
    Role.objects.filter(slug="owner").delete()
    seed_roles()
    assert Role.objects.get(slug="deployer").permissions == ["build.start"]
    assert Role.objects.filter(slug="owner").exists()
