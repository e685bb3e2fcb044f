"""Which attribute of an assertion holds the groups, and what becomes of each value."""

import pytest

from portal.social.configuration import ENTRA_GROUPS
from portal.social.saml_groups import groups_attribute, saml_groups


@pytest.mark.parametrize(
    ("told", "name", "groups"),
    [
        ({"groups": ["b", "a", "a"]}, "groups", ["a", "b"]),
        ({ENTRA_GROUPS: ["a"]}, ENTRA_GROUPS, ["a"]),
        ({ENTRA_GROUPS: ["a"], "groups": ["b"]}, "groups", ["b"]),
        ({"groups": [" a", "b\n", "c\u200b", "", "d"]}, "groups", ["d"]),
        ({"groups": [str(number) for number in range(100)]}, "groups", 100),
        ({}, "groups", []),
    ],
)
def test_groups_come_from_the_one_attribute_as_they_are(told, name, groups):
    found = saml_groups(told)
    assert groups_attribute(told) == name
    assert found.complete
    assert groups in (found.names("saml:"), len(found.names("saml:")))
