"""Options of sources: what a kind understands is kept, whatever else is said and refused."""

import pytest

from catalog.models import Source
from catalog.sources.base import Option
from catalog.sources.options import OPTIONS, clean, every_option, in_words, options_of

SHAPES = {"text", "list", "flag"}


def test_every_kind_of_host_has_options_that_the_form_can_show():
    assert set(OPTIONS) <= set(Source.Kind.values)
    for kind in OPTIONS:
        for option in options_of(kind):
            assert isinstance(option, Option)
            assert option.shape in SHAPES
            assert option.label
            # Kinds that share a name share its shape: the form has one field for both.
            assert option.shape == every_option()[option.name].shape


def test_what_a_kind_understands_is_kept_without_what_is_empty():
    given = {
        "repositories": "pay-*\r\n\n  !old ",
        "branch": "",
        "include_forks": True,
        "topics": [],
    }
    kept, wrong = clean("github", given)
    assert (kept, wrong) == ({"repositories": ["pay-*", "!old"], "include_forks": True}, {})


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        ("github", {"projects": ["PAY"]}, "projects"),
        ("path", {"branch": "main"}, "branch"),
        ("nonsense", {"branch": "main"}, "branch"),
        ("github", {"include_forks": "yes"}, "include_forks"),
        ("github", {"branch": ["main"]}, "branch"),
        ("github", {"branch": "a\nb"}, "branch"),
        ("github", {"branch": "x" * 501}, "branch"),
        ("github", {"topics": {"go": 1}}, "topics"),
        ("github", {"topics": ["x" * 501]}, "topics"),
        ("github", {"topics": ["x"] * 501}, "topics"),
        ("github", ["branch"], ""),
    ],
)
def test_what_is_unknown_or_of_another_shape_is_refused(kind, given, name):
    kept, wrong = clean(kind, given)
    assert kept == {}
    assert list(wrong) == [name]
    assert wrong[name]


def test_options_are_said_in_words_and_unknown_ones_left_out():
    options = {"topics": ["go", "web"], "include_archived": True, "branch": "", "else": "x"}
    assert in_words("github", options) == [
        ("Archived repositories", "included"),
        ("Topics", "go, web"),
    ]
