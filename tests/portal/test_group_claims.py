"""Claims become groups, whichever way a provider sends them, and nothing by surprise."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.group_claims import ABSENT, FROM_GRAPH, GroupRules, find, read_groups
from tests.portal.oidc.quirks import QUIRKS

FIELDS = {
    "OIDC_GROUPS_CLAIM": "claim",
    "OIDC_GROUPS_SEPARATOR": "separator",
    "OIDC_GROUPS_FORMAT": "form",
    "OIDC_GROUPS_MAX": "maximum",
    "OIDC_GROUP_NAMES": "names",
    "OIDC_CLAIM_GROUPS": "claims",
}
RULES = GroupRules()
TEXT = st.text(alphabet="a/~ ,=\0é", max_size=8)
VALUE = st.none() | st.booleans() | st.integers() | TEXT
JSON = (
    VALUE | st.lists(VALUE | st.lists(VALUE, max_size=2), max_size=4) | st.dictionaries(TEXT, VALUE)
)


def names(claims: dict[str, Any], **rules: Any) -> list[str]:
    return read_groups(claims, replace(RULES, **rules)).names("idp:")


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=QUIRKS.keys())
def test_each_providers_way(quirk):
    rules = GroupRules(**{FIELDS[name]: value for name, value in quirk["settings"].items()})
    groups = read_groups(quirk["claims"], rules)
    assert sorted({one.group for one in groups.arrived if one.group}) == quirk["groups"]
    assert groups.complete == quirk["complete"]
    assert quirk["why"] in groups.why
    labels = {one.sent: one.label for one in groups.arrived}
    assert {sent: labels[sent] for sent in quirk.get("labels", {})} == quirk.get("labels", {})
    assert len(groups.why) <= 300  # models.Identity.incomplete


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["b", "a", "a"], ["a", "b"]),
        ("a", ["a"]),
        ("a b,c", ["a b,c"]),
        ([], []),
        ("", []),
        ([" a", "b ", "\u00a0c", "d\u3000", "\x1ce", "f\n", "\u200bg", "h"], ["h"]),
        (["a", 7, None, {"x": 1}, "", "  ", "nul\0", "x" * 147], ["a"]),
        ({"a": True}, []),
        (7, []),
        (None, []),
        (True, []),
    ],
)
def test_the_groups_claim_is_a_list_of_names_or_one_name(raw, expected):
    assert names({"groups": raw}) == expected


def test_each_value_that_is_left_out_says_why():
    sent = ["a", 7, None, True, {"x": 1}, " ", "nul\0", "x" * 147, "\u00a0a "]
    groups = read_groups({"groups": sent}, RULES)
    assert [one.left_out for one in groups.arrived] == [
        "",
        "It is a number, not a name.",
        "It is nothing, not a name.",
        "It is true or false, not a name.",
        "It is an object, not a name.",
        "It is empty.",
        "It holds characters that can't be shown.",
        "It is longer than 146 characters.",
        "There is a space around it, so it is another name.",
    ]
    assert groups.left_out == 8


def test_nobody_comes_into_a_group_by_a_space_around_its_name():
    admins = replace(RULES, names={"0a1": "admins"}, claims=("department",))
    groups = read_groups({"groups": [" 0a1"], "department": "admins\u00a0"}, admins)
    assert [(one.group, one.label) for one in groups.arrived] == [
        ("", " 0a1"),
        ("", "department=admins\u00a0"),
    ]
    assert names({"groups": ["/x/ admins"]}, form="name") == []


@pytest.mark.parametrize(
    ("separator", "sent", "expected"),
    [
        ("comma", "a, b,c", ["a", "b", "c"]),
        ("comma", "a,  b,c ,\u00a0d,e", ["a", "e"]),
        ("space", "a  b\u00a0c d", ["a", "d"]),
        ("none", " a", []),
    ],
)
def test_only_what_separates_names_is_taken_from_them(separator, sent, expected):
    assert names({"groups": sent}, separator=separator) == expected


def test_a_claim_that_is_no_list_is_said_and_gives_nothing():
    groups = read_groups({"groups": {"admins": True}}, RULES)
    assert (groups.arrived, groups.complete) == ((), True)
    assert 'The claim "groups" is an object' in groups.why


@pytest.mark.parametrize(("count", "maximum"), [(99, 100), (101, 100), (100, 0), (100, 200)])
def test_only_a_list_as_long_as_the_cut_is_suspicious(count, maximum):
    sent = {"groups": [f"g{number}" for number in range(count)]}
    assert read_groups(sent, replace(RULES, maximum=maximum)).complete


def test_what_was_cut_is_counted_before_anything_is_left_out():
    sent = {"groups": ["same"] * 99 + [7]}
    assert not read_groups(sent, RULES).complete


def test_a_string_can_be_cut_too():
    sent = {"groups": ",".join(f"g{number}" for number in range(100))}
    assert not read_groups(sent, replace(RULES, separator="comma")).complete


def test_groups_beside_a_pointer_are_read_and_still_incomplete():
    sent = {"groups": ["a"], "_claim_names": {"groups": "src1"}}
    groups = read_groups(sent, RULES)
    assert (groups.names("idp:"), groups.complete) == (["a"], False)


def test_a_pointer_for_another_claim_is_none():
    assert read_groups({"groups": ["a"], "_claim_names": {"address": "s"}}, RULES).complete


def test_hasgroups_beside_the_groups_says_nothing():
    assert read_groups({"groups": ["a"], "hasgroups": True}, RULES).complete


def test_what_graph_answered_stands_for_all():
    sent = {"_claim_names": {"groups": "src1"}, FROM_GRAPH: ["a"] * 50 + ["b"] * 50}
    groups = read_groups(sent, RULES)
    assert (groups.names("idp:"), groups.complete) == (["a", "b"], True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", "literal first"),
        ("a.c", "inside"),
        ("x.y.z", "dots on the way"),
        ("a", {"b": "never", "c": "inside"}),
        ("a.d", ABSENT),
        ("a.c.e", ABSENT),
        ("", ABSENT),
    ],
)
def test_a_claim_is_found_by_its_name_or_inside_others(path, expected):
    claims = {
        "a.b": "literal first",
        "a": {"b": "never", "c": "inside"},
        "x.y": {"z": "dots on the way"},
    }
    assert find(claims, path) == expected


def test_a_bare_name_with_a_slash_is_no_path():
    assert names({"groups": ["a/admins", "//"]}, form="name") == ["a/admins"]


def test_a_claim_as_group_never_looks_like_one_of_the_list():
    sent = {"groups": [], "department": "x", "idp": "admins"}
    groups = read_groups(sent, replace(RULES, claims=("department", "idp")))
    assert groups.names("idp:") == []
    assert groups.names("idp-claim:") == ["department=x", "idp=admins"]


def test_a_group_of_the_list_never_looks_like_a_claim():
    groups = read_groups({"groups": ["claim:department=x", "-claim:department=x"]}, RULES)
    assert groups.names("idp-claim:") == []


# A busy machine is slow at making values, too.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.sampled_from(["none", "comma", "space"]), st.sampled_from(["as-sent", "name"]))
def test_no_value_of_the_claim_raises(raw, separator, form):
    rules = replace(RULES, separator=separator, form=form, claims=("department",))
    groups = read_groups({"groups": raw, "department": raw}, rules)
    assert all(one.group or one.left_out for one in groups.arrived)
    assert all(len(one.group) <= 150 for one in groups.arrived)


def test_what_keeps_groups_incomplete_says_what_an_administrator_can_do():
    cut = read_groups({"groups": ["a"]}, replace(RULES, maximum=1))
    assert "OIDC_GROUPS_MAX" in cut.mend
    assert "OIDC_GRAPH_URL" in read_groups({"hasgroups": True}, RULES).mend
    assert read_groups({"groups": ["a"]}, RULES).mend == ""
