"""Variables of the environment that have a shape: what is wrong with one names it."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.env import env_choice, env_map


def test_a_choice_is_one_of_them_and_the_first_without_a_word():
    assert env_choice("FORM", ("a", "b"), {}) == "a"
    assert env_choice("FORM", ("a", "b"), {"FORM": " b "}) == "b"
    with pytest.raises(ImproperlyConfigured, match="FORM must be one of a, b, not 'c'"):
        env_choice("FORM", ("a", "b"), {"FORM": "c"})


def test_a_map_is_json_or_a_file_with_it(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('{"1": "One"}')
    assert env_map("NAMES", {}) == {}
    assert env_map("NAMES", {"NAMES": '{"1": "One"}'}) == {"1": "One"}
    assert env_map("NAMES", {"NAMES": str(path)}) == {"1": "One"}


@pytest.mark.parametrize("value", ["{", "/no/such/file", '{"1": 7}', "{}x"])
def test_a_map_that_is_none_says_which_variable(value):
    with pytest.raises(ImproperlyConfigured, match="NAMES must be a JSON object"):
        env_map("NAMES", {"NAMES": value})
